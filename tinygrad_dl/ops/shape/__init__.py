"""Shape and order: the same elements in another form, joined or split."""
