"""The colours of all plots."""

# Okabe and Ito's, which people who do not tell red from green can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
