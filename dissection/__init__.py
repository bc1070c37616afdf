"""Network Dissection: which concept does each unit of a layer detect?"""

DISTRIBUTION = "neuro-explain"
