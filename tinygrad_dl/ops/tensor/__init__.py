"""Methods of Tensor that are no functions in PyTorch, or little else: conversion, filling, changes in place, memory."""
