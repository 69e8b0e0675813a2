"""What pages of results share: style sheet, figures as SVG, templates, numbers as text."""
