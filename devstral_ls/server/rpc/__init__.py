"""JSON-RPC with the editor: framing, parameters, the connection, and the process around it. Knows no feature."""
