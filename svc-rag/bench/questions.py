"""Questions with and without an answer in two small texts: what thresholds are calibrated on.

Shared by bench/calibrate.py and the model test. The texts and questions were written for this.
"""

PT = (
    "A Padaria Aurora abre todos os dias às seis e meia da manhã e fecha às oito da noite. O pão de "
    "queijo custa três reais e cinquenta centavos. A proprietária é dona Marlene Queiroz, que fundou o "
    "negócio em 1987. O forno a lenha foi trazido de Minas Gerais. Aos domingos há bolo de fubá com café "
    "de graça para os vizinhos.\n\n"
    "A biblioteca municipal empresta até cinco livros por vez, por quinze dias. A multa por atraso é de "
    "cinquenta centavos por dia. Bicicletas podem ser guardadas atrás do prédio. Crianças menores de doze "
    "anos precisam de autorização dos pais para se cadastrar.\n\n"
    "O contrato de aluguel vence em 30 de setembro de 2027. O reajuste anual segue o IPCA. O inquilino "
    "deve avisar com sessenta dias de antecedência se quiser sair. Animais de estimação são permitidos, "
    "desde que não perturbem os vizinhos."
)
EN = (
    "The Harbour Museum keeps twelve paintings of old ships and a model of the first steam ferry. "
    "Entrance is free on the first Sunday of each month. The building was a customs house until 1952. "
    "Photography is allowed without flash. The café on the second floor serves soup and sandwiches.\n\n"
    "To reset the router, hold the small button on its back for ten seconds until the light turns orange. "
    "The default password is printed on the label under the device. Firmware updates are installed "
    "automatically at three in the morning. The warranty covers manufacturing defects for twenty-four "
    "months.\n\n"
    "Employees receive twenty-two days of paid vacation each year. Remote work is possible up to three "
    "days a week with the approval of the manager. Travel expenses must be submitted within thirty days, "
    "with receipts. The office closes between Christmas and New Year."
)

ANSWERED = (
    # (text, question, words of the sentence that answers)
    (PT, "Que horas a padaria abre?", "seis e meia"),
    (PT, "Quanto custa o pão de queijo?", "três reais"),
    (PT, "Quem é a dona da padaria?", "Marlene"),
    (PT, "Quando a padaria foi fundada?", "1987"),
    (PT, "De onde veio o forno?", "Minas"),
    (PT, "Quantos livros posso pegar emprestados?", "cinco livros"),
    (PT, "Qual é a multa por atraso?", "multa"),
    (PT, "Quando vence o contrato?", "2027"),
    (PT, "Posso ter um cachorro no apartamento?", "Animais"),
    (PT, "Qual índice é usado no reajuste do aluguel?", "IPCA"),
    (PT, "Com quanto tempo de antecedência devo avisar que vou sair?", "sessenta"),
    (PT, "Onde posso guardar minha bicicleta?", "atrás"),
    (EN, "How many paintings are in the museum?", "twelve"),
    (EN, "When is entrance free?", "Sunday"),
    (EN, "What was the building before it became a museum?", "customs"),
    (EN, "Can I take photos?", "Photography"),
    (EN, "How do I reset the router?", "ten seconds"),
    (EN, "Where is the default password?", "label"),
    (EN, "How long is the warranty?", "twenty-four"),
    (EN, "How many vacation days do employees get?", "twenty-two"),
    (EN, "Can I work from home?", "Remote"),
    (EN, "When do I have to hand in my travel expenses?", "thirty days"),
    (EN, "What food does the café serve?", "soup"),
    (PT + chr(10) * 2 + EN, "When does the office close?", "Christmas"),
    (PT + chr(10) * 2 + EN, "Quantos quadros há no museu?", "twelve"),
)
UNANSWERED = (
    (PT, "Qual é a capital da Mongólia?"),
    (PT, "Quem descobriu o Brasil?"),
    (PT, "Quanto custa o bolo de chocolate?"),
    (PT, "Qual é o telefone da padaria?"),
    (PT, "Quem escreveu Dom Casmurro?"),
    (PT, "Qual é a velocidade da luz?"),
    (PT, "Quantos quartos tem o apartamento?"),
    (PT, "Como faço para trocar o pneu do carro?"),
    (EN, "What is the capital of Mongolia?"),
    (EN, "Who wrote Hamlet?"),
    (EN, "How much does the router cost?"),
    (EN, "What is the phone number of the museum?"),
    (EN, "How do I bake bread?"),
    (EN, "Who is the director of the company?"),
    (EN, "What is the speed of light?"),
    (EN, "Which team won the world cup in 1998?"),
    (EN, "Is there parking at the museum?"),
)
