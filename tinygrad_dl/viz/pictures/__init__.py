"""Pictures of graphs: what is shown, as which boxes and frames, written as DOT and drawn."""
