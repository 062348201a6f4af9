"""The API described: an OpenAPI 3.1 document made of plain data, and the page that shows it."""
