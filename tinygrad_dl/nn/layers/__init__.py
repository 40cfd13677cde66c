"""The layers: a file for each chapter of PyTorch's documentation of torch.nn."""
