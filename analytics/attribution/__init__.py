"""Who gets the credit of conversions: gold.conversions → gold.attribution_daily and gold.attribution_fitted."""
