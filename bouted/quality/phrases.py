"""Words for the synthetic evals: kinds of request, what they are about, and what makes them harder.

Every kind has a difficulty, 0 (anyone can) to 1 (hardly anyone can). `{slot}` takes a phrase of `SLOTS`;
a phrase that starts with `+` is a hard one of its sort and adds to the difficulty.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of request and the ways people put it."""

    name: str
    difficulty: float
    templates: tuple[str, ...]


# fmt: off
KINDS = (
    Kind(name="chat", difficulty=0.04, templates=(
        "{hello} {smalltalk}", "{hello} {person} here. {smalltalk}", "{hello} {smalltalk} {bye}",
        "{smalltalk} {bye} {person}",
    )),
    Kind(name="fact", difficulty=0.12, templates=(
        "What is {fact} {country}?", "I always forget: what is {fact} {country}, and {fact} {country}?",
        "{person} asked me what {fact} {country} is. What do I say?",
        "Is {fact} {country} the same as {fact} {country}?", "What is {concept}, in one sentence?",
    )),
    Kind(name="rewrite", difficulty=0.16, templates=(
        'Make this more {tone}: "{message}"', 'Fix the grammar, change nothing else: "{message} {message}"',
        "Rewrite this email so it sounds {tone}.\n\n{message}\n\nThanks,\n{person}",
        "Shorten to two sentences, keep it {tone}: {message} {message} {passage}",
    )),
    Kind(name="translate", difficulty=0.2, templates=(
        "Translate into {language}: {message} {message}",
        'How would I say this in {language}, to {audience}? "{message}"',
    )),
    Kind(name="summary", difficulty=0.24, templates=(
        "Summarise in three bullet points for {audience}.\n\n{passage} {passage} {passage}",
        "TL;DR please:\n\n{passage} {passage}",
        "Here are my notes. Turn them into a short update for {audience}: {passage} {passage}",
    )),
    Kind(name="extract", difficulty=0.3, templates=(
        "Pull out every date, name and amount as JSON with keys date, name, amount.\n\n{passage} {passage}",
        "Classify this ticket as billing, bug, feature or other. Answer with one word.\n\n{message}",
        "List the action items with an owner for each:\n\n{passage} {passage}",
    )),
    Kind(name="explain", difficulty=0.34, templates=(
        "Explain {concept} to {audience}.", "What is the difference between {concept} and {concept}?",
        "Give me a simple example of {concept} and one of when not to use it.",
        "Write a short intro to {concept} for {audience}, with an analogy.",
    )),
    Kind(name="code", difficulty=0.42, templates=(
        "Write a {lang} function that {task}.", "In {lang}, how do I write something that {task}? Add tests.",
        "I need a small {lang} script that {task}. Keep it under 40 lines and comment it.",
    )),
    Kind(name="sql", difficulty=0.46, templates=(
        "Write a SQL query. {report}", "Postgres, {n} million rows, so it has to be fast. {report}",
        "{report} I have this almost working but the numbers look doubled. What should the query be?",
    )),
    Kind(name="arithmetic", difficulty=0.5, templates=(
        "A {vehicle} leaves at {h}:{m} doing {a} km/h and another leaves {b} minutes later at 1{c}0 km/h. "
        "When does the second catch up? Show your steps.",
        "{person} buys {n} boxes at ${a}.{b} each, gets {p}% off and then pays {q}% tax. She splits it "
        "{c} ways and two people pay only half. What does everyone owe?",
        "A tank fills in {a} hours from one pipe and {c} hours from another; a leak empties it in {n} "
        "hours. All three are open for {q} hours. How full is it?",
    )),
    Kind(name="plan", difficulty=0.56, templates=(
        "Plan {n} days in {country} for {audience}. Budget ${a}0 in total, no flights before 10:00, one of "
        "us cannot walk far, and we must be at a wedding on day {c}.",
        "Draft a {n}-week plan to learn {concept} with {c} hours a week, with checkpoints and what to drop "
        "if I fall behind.",
    )),
    Kind(name="debug", difficulty=0.62, templates=(
        "This {lang} service {symptom} only under load. Here is what I know: {clue}; {clue}. What is the "
        "most likely cause and how do I confirm it?",
        "Why does this fail? It {symptom} after a deploy, {clue}, and rolling back does not help.",
    )),
    Kind(name="analysis", difficulty=0.68, templates=(
        "We ran an A/B test: control {n}{a} users and {b} conversions, variant {n}{a} users and {q} "
        "conversions, stopped early when it looked good. Is it significant? What is wrong with the design?",
        "Revenue fell {p}% while orders rose {q}%. {passage} Decompose the change and rank the causes.",
    )),
    Kind(name="law", difficulty=0.74, templates=(
        "Under {law}, {person} {dispute}. What are the strongest arguments on both sides, and what would "
        "you want to know before advising?",
        "Compare how {law} and {law} treat a supplier who {dispute}.",
    )),
    Kind(name="design", difficulty=0.78, templates=(
        "Design {system} for {n} million users. State the consistency model, what happens when a region is "
        "lost, and the cost drivers. Then attack your own design.",
        "We have {system} with a p99 of {a} ms and want {c} ms without new hardware. We know that {clue}. "
        "Lay out the options with trade-offs and the order you would try them.",
    )),
    Kind(name="algorithm", difficulty=0.86, templates=(
        "Give an algorithm that {problem} in {bound}. Prove it is correct and show where a naive version "
        "breaks.",
        "Implement in {lang}, lock-free, a structure that {problem}. Argue linearizability and the memory "
        "ordering of every atomic operation.",
    )),
    Kind(name="proof", difficulty=0.94, templates=(
        "Prove or find a counterexample: {theorem}.",
        "Let {setting}. Derive the sharpest bound that you can and say when equality holds.",
        "Sketch a proof that {theorem}, then say which hypothesis can be dropped and why.",
    )),
)

SLOTS = {
    "hello": ("Hi!", "Hey,", "Good morning,", "Quick one:", "Hello again!", "Me again.", "Hi there,"),
    "bye": ("Thanks!", "Cheers,", "No rush.", "Have a good one!", "Thank you so much."),
    "smalltalk": (
        "how is your day going?", "tell me a joke about printers.", "thanks for the help yesterday!",
        "what should I have for lunch?", "suggest a name for my grey cat.", "are you there?",
        "give me a fun fact about otters.", "what can you help me with?", "wish my team a good weekend.",
        "recommend a film for tonight.", "write a birthday wish for my aunt.", "is it cold on Mars?",
        "what rhymes with orange?", "pick a number from one to ten.", "how do I boil an egg?",
    ),
    "fact": (
        "the capital of", "the currency of", "the time zone of", "the population of", "the dialling code of",
        "the largest city in", "the highest mountain in", "the longest river in", "the national dish of",
        "the electric plug used in", "the main airport in", "the official language of",
    ),
    "country": (
        "Portugal", "Japan", "Chile", "Kenya", "Norway", "Vietnam", "Morocco", "Canada", "Greece", "Peru",
        "New Zealand", "South Korea", "Iceland", "Uruguay", "Finland", "Ghana", "Estonia", "Mexico",
        "Austria", "Bolivia", "Croatia", "Denmark", "Egypt", "Ireland", "Jordan", "Latvia", "Malta",
    ),
    "tone": ("friendly", "formal", "confident", "apologetic", "neutral", "warm but firm", "concise"),
    "message": (
        "The invoice we got on Monday is wrong again and nobody answers the phone.",
        "I cannot make the meeting tomorrow, could we move it to Thursday after lunch?",
        "We are happy to tell you that your application was accepted.",
        "The app logs me out every time I rotate the screen.",
        "Please send the signed contract back before the end of the week.",
        "Our heating has been broken since Friday and the flat is 14 degrees.",
        "I would like to return the blue jacket, it is too small.",
        "Thank you for your patience while we looked into this.",
        "The delivery arrived late and two of the boxes were open.",
    ),
    "person": ("Maria", "Tom", "Aisha", "Kenji", "Olga", "Samuel", "Priya", "Lena", "Mateo", "Noor"),
    "language": (
        "Spanish", "German", "French", "Italian", "Dutch", "+Finnish", "+Japanese", "+Classical Latin",
    ),
    "audience": (
        "a ten-year-old", "my manager", "a new customer", "the whole team", "my grandmother",
        "two tired parents", "a first-year student", "+a sceptical auditor", "+a hostile reviewer",
    ),
    "passage": (
        "The warehouse in Leeds moved to two shifts on 3 March and Tom says late orders are down by a third.",
        "Priya will ask finance for 12,400 by Friday so that the pilot can start in May.",
        "The library closes for repairs from June to September and books can be returned next door.",
        "Rainfall was the lowest in forty years, so the council limits garden watering to two evenings.",
        "Customers like the new screen but keep missing the save button, which Lena will move.",
        "The supplier raised prices by 8 percent on 1 February without the notice in the contract.",
        "Half of the volunteers had never used the radio before, and Mateo wrote a one-page guide.",
        "The second trial had to be repeated because the sensor had been installed upside down.",
    ),
    "concept": (
        "inflation", "photosynthesis", "compound interest", "a spreadsheet pivot table", "recursion",
        "version control", "supply and demand", "the water cycle", "a mortgage", "unit testing",
        "+Bayesian updating", "+eventual consistency", "+gauge symmetry", "+monads",
        "+the Black-Scholes equation", "+variational inference", "+Byzantine fault tolerance",
    ),
    "lang": ("Python", "JavaScript", "Go", "Java", "TypeScript", "+Rust", "+C++", "+Haskell"),
    "task": (
        "reverses the words of a sentence", "counts lines in every file of a folder",
        "checks if a year is a leap year", "renames photos by the date they were taken",
        "removes duplicates from a list and keeps the order", "reads a CSV file and sums one column",
        "converts temperatures between units", "downloads a page and prints its links",
        "+merges overlapping time intervals across time zones", "+parses arithmetic with precedence",
        "+retries with back-off, jitter and a deadline", "+diffs two nested JSON documents",
        "+evicts least recently used entries under a byte budget", "+solves a sudoku",
    ),
    "report": (
        "orders(id, user_id, total, created_at), users(id, country): revenue by country last month.",
        "orders(id, user_id, total, created_at): who are the ten best customers of this year?",
        "orders(id, user_id, total, created_at): the average basket for each weekday.",
        "visits(user_id, page, at) and signups(user_id, at, plan): which users never came back?",
        "stock(sku, store, qty, day): what ran out of stock in any store last week?",
        "employees(id, boss_id, salary): who earns more than their boss?",
        "+visits(user_id, page, at): 28-day rolling retention by weekly cohort.",
        "+visits(user_id, page, at): sessions split at 30 idle minutes, with the longest one per user.",
        "+employees(id, boss_id, salary): the full chain of bosses of each employee, cycles reported.",
        "+sales(sku, store, qty, day): each store's running share of the total, with ties handled.",
        "+stock and sales(sku, store, qty, day): days of cover for every sku, gaps in the data filled.",
    ),
    "vehicle": ("train", "bus", "lorry", "cyclist", "ferry"),
    "symptom": (
        "returns stale data", "leaks memory", "stalls for 40 seconds", "drops one message in a thousand",
        "+deadlocks about once a day", "+corrupts a counter by exactly one", "+answers out of order",
    ),
    "clue": (
        "CPU is flat at 20 percent", "connections pile up in CLOSE_WAIT", "only one of eight pods shows it",
        "the queue is never empty", "GC pauses look normal", "it went away when we added a log line",
        "disk latency doubles every hour", "it started when we turned on keep-alive",
        "+the invariant breaks between two fsyncs", "+a clock on one host steps back 3 ms",
    ),
    "law": (
        "German tenancy law", "the GDPR", "English contract law", "US copyright law", "EU consumer law",
        "+the law of general average", "+conflict of laws in New York",
    ),
    "dispute": (
        "refuses to return a deposit", "terminated early without notice",
        "kept customer data after a request", "sold the same goods twice",
        "+claims frustration of purpose after an export ban",
        "+assigned the receivable despite an anti-assignment clause",
    ),
    "system": (
        "a chat service", "a photo library", "a ticket shop", "a food delivery backend", "a log pipeline",
        "+a global payments ledger", "+a multi-tenant feature store", "+a spot-market exchange",
    ),
    "problem": (
        "finds the k heaviest disjoint paths in a DAG", "keeps the median of a sliding window",
        "matches parentheses with wildcards and costs", "maintains connectivity under edge deletions",
        "counts inversions online", "+computes a min-cost flow with convex costs",
        "+supports range updates with persistent versions", "+decides equivalence of two pushdown systems",
    ),
    "bound": ("O(n log n)", "O(n sqrt n)", "+linear time and constant space", "+O(log n) amortised per step"),
    "theorem": (
        "every continuous bijection from a compact space to a Hausdorff space is a homeomorphism",
        "a graph on n vertices with minimum degree at least n/2 is Hamiltonian",
        "a subadditive sequence divided by its index converges",
        "a random walk with zero drift on the integers is recurrent",
        "+every finite group of order p^2 q has a normal Sylow subgroup",
        "+a Banach space whose dual is separable is itself separable",
        "+every planar graph has a vertex separator of order sqrt(n)",
    ),
    "setting": (
        "f be convex and L-smooth, minimised by gradient descent with a fixed step for k steps",
        "A be a random symmetric matrix with independent bounded entries",
        "X be a sum of n independent indicators with unequal means",
        "+P be the lazy random walk on the hypercube and g its spectral gap",
        "+M be a martingale whose increments are only square-summable",
        "+S be a set of points in the plane and u the number of its unit distances",
    ),
}
# fmt: on

EASING = (
    ("Keep it short.", -0.04),
    ("A rough answer is fine.", -0.06),
    ("Use plain words.", -0.03),
    ("One paragraph at most.", -0.04),
)

DEMANDS = (
    ("Think about edge cases first.", 0.05),
    ("Justify every step.", 0.08),
    ("Show two different approaches and compare them.", 0.09),
    ("Point out anything in my question that is wrong.", 0.1),
    ("Assume the input is adversarial.", 0.12),
)
