"""The engine: tensors, the graph, the declaration of ops, and how functions are called."""
