"""What do people see in the maps? Studies with raters (Selvaraju et al. 2019, Sec. 5): make, score, simulate.

    study = make_study(discrimination_questions(model, images, methods, classes), ratings=9, raters=36, seed=0)
    study.save("runs/study")                        # pages/rater-01.html …, private/key.json
    score(load_study("runs/study"), returned).lines()

`question` says what is asked; `discrimination` and `trust` choose the photographs; `assignment` says who is asked what;
`folder` keeps pages and key apart; `answers` reads what comes back, `score` counts it, `simulation` plays raters.
"""
