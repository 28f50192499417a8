"""Forms: url-encoded and multipart bodies into fields and files."""
