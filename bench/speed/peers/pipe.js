// node's http pipe, as it is copied everywhere.
const http = require("http");

http
  .createServer((req, res) => {
    const url = new URL(req.url, "http://localhost").searchParams.get("url");
    http.get(url, (origin) => {
      res.writeHead(origin.statusCode, origin.headers);
      origin.pipe(res);
    });
  })
  .listen(process.env.PORT, "127.0.0.1");
