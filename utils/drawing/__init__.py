"""What pictures of results and curves are drawn with: fonts, matplotlib, sheets of small pictures, and a guard."""
