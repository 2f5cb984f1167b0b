"""How the bytes reach the browser: a redirect where that downloads, else a stream."""
