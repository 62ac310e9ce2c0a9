"""Which methods of an evaluation others speak of."""

#: The method that speaks for a run: what people get who ask for nothing in particular.
MAIN = "auto"
#: What every method is compared with: the most rated anime.
BASELINE = "rating_counts"
