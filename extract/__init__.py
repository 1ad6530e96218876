"""Source data extraction, behind one seam."""
