// cors-anywhere, as its README starts it.
const cors_proxy = require("cors-anywhere");

cors_proxy.createServer({ originWhitelist: [] }).listen(process.env.PORT, "127.0.0.1");
