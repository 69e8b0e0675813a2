"""The report of a whole chain, as HTML and Markdown."""
