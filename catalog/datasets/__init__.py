"""Loading data sets in the format of Kaggle's "Anime Recommendations Database"."""
