"""The operations, one theme a file. Importing a file declares its ops."""
