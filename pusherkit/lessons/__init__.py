"""The teaching layer: one module for each notebook, of the same name. Needs ipywidgets."""
