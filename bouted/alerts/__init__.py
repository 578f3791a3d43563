"""Messages to people: when the budget is passed or a plan changes the bill."""
