"""Questions asked of gold for people: reports, funnels, paths. What a figure means stands in nextclick/definitions/.

It reads tables by nextclick/lake/ alone, without a JVM, and writes two: who gets the credit of conversions (`attribution/`).
"""
