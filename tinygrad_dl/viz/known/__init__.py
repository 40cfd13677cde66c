"""What is known of a computation: who called which module, where, with what, and what came of it."""
