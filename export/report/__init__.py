"""The report of a demo, as HTML and Markdown."""
