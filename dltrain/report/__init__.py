"""Reports: figures as SVG, text without scripts that loads nothing."""
