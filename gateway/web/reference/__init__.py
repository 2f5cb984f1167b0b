"""The API described: the OpenAPI document, the table it is made from, and its reading for people."""
