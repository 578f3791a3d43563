"""Planning: one PlanningProblem in, one Frontier of priced and judged plans out."""
