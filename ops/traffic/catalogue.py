"""Invented people, places and goods. Any likeness is chance; the mail domain is reserved."""

FIRST_NAMES = (
    "Ada", "Amara", "Anselm", "Beatriz", "Chiara", "Dmitri", "Eilidh", "Farid", "Greta", "Hiro",
    "Ines", "Jonas", "Keiko", "Lucía", "Mateo", "Niamh", "Olga", "Priya", "Quentin", "Rosalind",
    "Søren", "Tomasz", "Uma", "Viktor", "Wanjiru", "Xavier", "Yara", "Zoë",
)  # fmt: skip
LAST_NAMES = (
    "Abara", "Bergström", "Castillo", "Dubois", "Eriksen", "Fischer", "García", "Hughes", "Ito",
    "Jansen", "Kowalski", "Lindqvist", "Moreau", "Nakamura", "O'Brien", "Petrov", "Quispe",
    "Rossi", "Schneider", "Tanaka", "Ueda", "Varga", "Weber", "Young", "Zhang",
)  # fmt: skip
# City, state or region, postcode, country.
PLACES = (
    ("London", "", "SW1Y 4JH", "GB"),
    ("Edinburgh", "", "EH1 1YZ", "GB"),
    ("Berlin", "BE", "10115", "DE"),
    ("München", "BY", "80331", "DE"),
    ("Lisboa", "", "1100-148", "PT"),
    ("Kraków", "", "31-042", "PL"),
    ("Seattle", "WA", "98101", "US"),
    ("Austin", "TX", "73301", "US"),
    ("Toronto", "ON", "M5H 2N2", "CA"),
    ("Osaka", "", "530-0001", "JP"),
    ("Nairobi", "", "00100", "KE"),
    ("São Paulo", "SP", "01310-100", "BR"),
)
STREETS = ("High Street", "Station Road", "Mill Lane", "Park Avenue", "Harbour Quay", "Elm Way")
# Name and price.
PRODUCTS = (
    ("Walnut desk", "249.90"), ("Brass lamp", "39.50"), ("Linen curtain", "58.00"),
    ("Oak bookshelf", "179.00"), ("Wool blanket", "84.95"), ("Copper kettle", "62.40"),
    ("Ceramic teapot", "34.20"), ("Leather armchair", "599.00"), ("Cork board", "17.80"),
    ("Glass carafe", "22.10"), ("Steel toolbox", "45.00"), ("Felt organiser", "12.99"),
    ("Bamboo stool", "49.00"), ("Marble coaster", "9.75"), ("Enamel mug", "11.30"),
)  # fmt: skip
PAYMENT_METHODS = ("CARD", "PAYPAL", "BANK_TRANSFER", "INVOICE")
TASK_TYPES = ("PUZZLE", "QUIZ", "SPRINT", "ENDURANCE")
DIFFICULTIES = ("EASY", "MEDIUM", "HARD")
