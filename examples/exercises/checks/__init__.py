"""What is right in each exercise, and what typical mistakes give: a module for each, with `CHECKS` by blank."""
