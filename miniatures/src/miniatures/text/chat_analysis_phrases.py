"""How people ask for the analysis of a table, in two languages: the words of training, and others held out.

Pure data. {c} is a column of numbers, {g} one to group by, {t} one of text, {v} a value, {f} a file, {n} what is to
be known and {k} a kind of chart. What stands in NEW is never shown in training: the words for the operations
themselves are the same (a model cannot guess a word), but what stands around them is other.
"""

from __future__ import annotations

Phrases = dict[str, dict[str, tuple[str, ...]]]


def _split(**asked: str) -> dict[str, tuple[str, ...]]:
    return {key: tuple(text.split("|")) for key, text in asked.items()}


KNOWN: Phrases = {
    "en": _split(
        mean="the mean of {c}|the average of {c}|the average {c}|the mean {c}|the mean of the column {c}|average {c}|"
        "mean {c}|the average value of {c}|the mean value of {c}",
        sum="the sum of {c}|the total of {c}|the total {c}|total {c}|sum of {c}|the sum of the column {c}|the sum of all {c}",
        min="the minimum of {c}|the smallest {c}|the lowest {c}|the minimum {c}|min {c}|the lowest value of {c}|the least {c}",
        max="the maximum of {c}|the largest {c}|the highest {c}|the maximum {c}|max {c}|the highest value of {c}|"
        "the biggest {c}|the greatest {c}",
        count="the count of {c}|the number of values of {c}|how many values of {c} there are|the number of {c} values|count {c}",
        rows="the number of rows|the number of lines|the count of rows|how many rows there are|how many lines there are",
        frames="What is {n}?|Calculate {n}|Compute {n}.|Show me {n}|Give me {n}.|Tell me {n}|Find {n}|I need {n}.|"
        "I want to know {n}|Can you calculate {n}?|What's {n}?|Please give me {n}|Get {n}.|{n}|{n}?|{n}, please|"
        "Could you tell me {n}?|Do you know {n}?|Using the file, what is {n}?|Use python to find {n}",
        by="by {g}|for each {g}|per {g}|grouped by {g}|of each {g}|by each {g}|for every {g}|split by {g}|divided by {g}|by the {g} column|within each {g}|in every {g}|"
        "grouped by the column {g}|according to {g}|for each of the {g}|broken down by {g}|for the column {g}",
        of="in {f}|of {f}|from {f}|in the file {f}|of the table {f}|using {f}|from my file {f}|in the table {f}|with the file {f}|of my table {f}|"
        "inside the file {f}",
        greater="where {c} is greater than {v}|with {c} above {v}|where {c} > {v}|with {c} over {v}|where {c} is more than {v}|"
        "with {c} greater than {v}|where {c} is above {v}|with {c} larger than {v}|with {c} > {v}|which have {c} above {v}|"
        "in which {c} is greater than {v}|having {c} over {v}|whose {c} is higher than {v}|if {c} is over {v}|"
        "when {c} exceeds {v}|such that {c} is above {v}",
        less="where {c} is less than {v}|with {c} below {v}|where {c} < {v}|with {c} under {v}|where {c} is smaller than {v}|"
        "with {c} less than {v}|where {c} is below {v}|with {c} lower than {v}|with {c} < {v}|which have {c} below {v}|"
        "in which {c} is less than {v}|having {c} under {v}|whose {c} is lower than {v}|if {c} is under {v}|"
        "when {c} is below {v}|such that {c} is below {v}",
        equal="where {c} is {v}|with {c} equal to {v}|where {c} = {v}|where {c} equals {v}|with {c} = {v}|where {c} is equal to {v}|"
        "whose {c} is {v}|which have {c} equal to {v}|in which {c} is equal to {v}|having {c} equal to {v}|if {c} is {v}|"
        "when {c} equals {v}|such that {c} is {v}|only {c} equal to {v}",
        how_many="How many rows are there{w}?|How many rows{w}?|Count the rows{w}|How many lines{w}?|Number of rows{w}|"
        "Count the lines{w}.|How many rows does it have{w}?|How many records{w}?|Tell me how many rows there are{w}|Count rows{w}|"
        "Row count{w}|What is the number of lines{w}?|Use python and count the rows{w}|Get the number of records{w}",
        show="Show the rows{w}|Show me the rows{w}|List the rows{w}|Filter the rows{w}|Show the lines{w}|Display the rows{w}|"
        "Give me the rows{w}|Which rows are there{w}?|Filter and show the rows{w}|Show the data{w}|Which are the rows{w}?|"
        "Print the rows{w}|Select the rows{w}|Only the rows{w}|Find the lines{w}.|Get all the records{w}",
        columns="What columns are there{w}?|Which columns does it have{w}?|List the columns{w}|Show me the columns{w}|"
        "Describe the columns{w}|What are the columns{w}?|Name the columns{w}.|Tell me the columns{w}|What fields are there{w}?|"
        "Which columns{w}?",
        summary="Describe the data{w}|Summarise the data{w}|Give me a summary{w}|Summarize the table{w}|Describe the file{w}|"
        "Show statistics{w}|Give me the statistics{w}|Describe the numbers{w}|Statistics{w}|Summary of the data{w}",
        bar="bar chart|bar graph|bar plot|chart of bars",
        line="line chart|line graph|line plot|chart of lines",
        pie="pie chart|pie graph|pie plot|pie",
        charts="Make a {k} of {n}|Draw a {k} of {n}.|Plot a {k} of {n}|Show me a {k} of {n}|Create a {k} of {n}.|Generate a {k} of {n}|"
        "I want a {k} of {n}|Please make a {k} of {n}|a {k} of {n}|{k} of {n}|Can you draw a {k} of {n}?|Make a {k} with {n}|"
        "Draw {n} as a {k}|Plot {n} in a {k}",
        whole="{c}|{c}|{c}|the {c}|the column {c}",
    ),
    "pt": _split(
        mean="a média de {c}|a média da coluna {c}|o valor médio de {c}|a média do {c}|a média da {c}|média de {c}|a média dos {c}|"
        "o {c} médio|a {c} média",
        sum="a soma de {c}|o total de {c}|a soma da coluna {c}|total de {c}|soma de {c}|a soma do {c}|a soma da {c}|o {c} total|"
        "a soma de todos os {c}",
        min="o mínimo de {c}|o menor {c}|a menor {c}|o valor mínimo de {c}|o menor valor de {c}|mínimo de {c}|o {c} mínimo|"
        "o mais baixo {c}",
        max="o máximo de {c}|o maior {c}|a maior {c}|o valor máximo de {c}|o maior valor de {c}|máximo de {c}|o {c} máximo|"
        "o mais alto {c}",
        count="a contagem de {c}|o número de valores de {c}|a quantidade de valores de {c}|quantos valores de {c} há|"
        "contagem de {c}|quantos valores {c} tem",
        rows="o número de linhas|a quantidade de linhas|a contagem de linhas|quantas linhas há|quantas linhas existem",
        frames="Qual é {n}?|Calcule {n}|Me diga {n}|Mostre {n}.|Me mostre {n}|Quero saber {n}.|Qual {n}?|Encontre {n}|"
        "Você pode calcular {n}?|Me dê {n}|Preciso saber {n}|Diga {n}.|{n}|{n}?|{n}, por favor|Quanto é {n}?|Pode me dizer {n}?|"
        "Ache {n}|Usando o arquivo, qual é {n}?|Use python para achar {n}",
        by="por {g}|para cada {g}|de cada {g}|agrupado por {g}|em cada {g}|agrupando por {g}|por cada {g}|dividido por {g}|segundo {g}|"
        "por coluna {g}|conforme a coluna {g}|dentro de {g}|agrupado pela coluna {g}|de acordo com {g}|para a coluna {g}|separando por {g}",
        of="em {f}|de {f}|do arquivo {f}|no arquivo {f}|da tabela {f}|usando {f}|do meu arquivo {f}|em meu arquivo {f}|com o arquivo {f}|"
        "na minha tabela {f}|dentro do arquivo {f}",
        greater="onde {c} é maior que {v}|com {c} acima de {v}|em que {c} > {v}|com {c} maior que {v}|onde {c} > {v}|"
        "com {c} maior do que {v}|onde {c} é maior do que {v}|em que {c} é superior a {v}|com {c} > {v}|que tenham {c} maior que {v}|"
        "cujos {c} são maiores que {v}|tendo {c} acima de {v}|se {c} for maior que {v}|quando {c} passa de {v}|"
        "de {c} superior a {v}|sempre que {c} é maior que {v}",
        less="onde {c} é menor que {v}|com {c} abaixo de {v}|em que {c} < {v}|com {c} menor que {v}|onde {c} < {v}|"
        "com {c} menor do que {v}|onde {c} é menor do que {v}|em que {c} é inferior a {v}|com {c} < {v}|que tenham {c} menor que {v}|"
        "cujos {c} são menores que {v}|tendo {c} abaixo de {v}|se {c} for menor que {v}|quando {c} fica abaixo de {v}|"
        "de {c} inferior a {v}|sempre que {c} é menor que {v}",
        equal="onde {c} é {v}|com {c} igual a {v}|em que {c} = {v}|onde {c} é igual a {v}|com {c} = {v}|onde {c} = {v}|"
        "em que {c} é {v}|que tenham {c} igual a {v}|cujos {c} são iguais a {v}|tendo {c} igual a {v}|se {c} for {v}|"
        "quando {c} é igual a {v}|de {c} igual a {v}|sempre que {c} é {v}",
        how_many="Quantas linhas há{w}?|Quantas linhas{w}?|Conte as linhas{w}|Quantas linhas existem{w}?|Número de linhas{w}|"
        "Quantas linhas tem{w}?|Quantos registros há{w}?|Me diga quantas linhas há{w}|Qual é o número de linhas{w}?|Contar linhas{w}|"
        "Conte os registros{w}.|Use python e conte as linhas{w}|Total de linhas{w}|Quero saber quantas linhas são{w}",
        show="Mostre as linhas{w}|Me mostre as linhas{w}|Liste as linhas{w}|Filtre as linhas{w}|Exiba as linhas{w}|"
        "Quais são as linhas{w}?|Quero ver as linhas{w}|Mostre os dados{w}|Filtre e mostre as linhas{w}|Me dê as linhas{w}|"
        "Quais linhas há{w}?|Imprima as linhas{w}|Selecione as linhas{w}|Só as linhas{w}|Ache as linhas{w}.|"
        "Traga os registros{w}",
        columns="Quais são as colunas{w}?|Quais colunas há{w}?|Liste as colunas{w}|Me mostre as colunas{w}|Descreva as colunas{w}|"
        "Que colunas existem{w}?|Mostre as colunas{w}.|Diga as colunas{w}|Quais campos há{w}?|Quais colunas{w}?",
        summary="Descreva os dados{w}|Resuma os dados{w}|Me dê um resumo{w}|Resuma a tabela{w}|Descreva o arquivo{w}|"
        "Mostre as estatísticas{w}|Me dê as estatísticas{w}|Descreva os números{w}|Estatísticas{w}|Resumo dos dados{w}",
        bar="gráfico de barras|gráfico de barra|gráfico em barras|gráfico com barras",
        line="gráfico de linhas|gráfico de linha|gráfico em linhas|gráfico com linhas",
        pie="gráfico de pizza|gráfico em pizza|gráfico de torta|gráfico pizza",
        charts="Faça um {k} de {n}|Desenhe um {k} de {n}.|Crie um {k} de {n}|Mostre um {k} de {n}|Gere um {k} de {n}.|Quero um {k} de {n}|"
        "Me mostre um {k} de {n}|um {k} de {n}|{k} de {n}|Você pode fazer um {k} de {n}?|Plote um {k} de {n}|Faça um {k} com {n}|"
        "Desenhe {n} em um {k}|Mostre {n} em um {k}",
        whole="{c}|{c}|{c}|coluna {c}|{c}",
    ),
}
NEW: Phrases = {
    "en": _split(
        frames="Could you work out {n}?|I would like to have {n}.|Please calculate {n} now|What would {n} be?|Help me find {n}|"
        "Hello! Can you give me {n}?|Now show {n}",
        by="separated by {g}|in each {g}|by the column {g}",
        of="inside {f}|from the table {f}|in my file {f}",
        greater="for which {c} is above {v}|that have {c} greater than {v}",
        less="for which {c} is below {v}|that have {c} less than {v}",
        equal="for which {c} is equal to {v}|that have {c} equal to {v}",
        how_many="Please count the rows{w}|Could you count how many rows there are{w}?|How many of the rows are there{w}?",
        show="Can you show the rows{w}?|Please list all rows{w}|I want to see the rows{w}",
        columns="Could you list the columns{w}?|Please tell me what the columns are{w}|I want to see the columns{w}",
        summary="Can you describe the data{w}?|Please give me the summary{w}|I would like some statistics{w}",
        charts="Could you make a {k} of {n}?|I would like a {k} of {n}.|Now draw me a {k} of {n}|Please show {n} in a {k}",
    ),
    "pt": _split(
        frames="Você poderia calcular {n}?|Gostaria de saber {n}.|Por favor, calcule {n} agora|Qual seria {n}?|Me ajude a achar {n}|"
        "Olá! Pode me dar {n}?|Agora mostre {n}",
        by="separado por {g}|dentro de cada {g}|pela coluna {g}",
        of="dentro de {f}|na tabela {f}|no meu arquivo {f}",
        greater="que têm {c} maior que {v}|cujo {c} é maior que {v}",
        less="que têm {c} menor que {v}|cujo {c} é menor que {v}",
        equal="que têm {c} igual a {v}|cujo {c} é igual a {v}",
        how_many="Por favor, conte as linhas{w}|Você pode contar quantas linhas há{w}?|Quantas das linhas existem{w}?",
        show="Pode mostrar as linhas{w}?|Por favor, liste todas as linhas{w}|Gostaria de ver as linhas{w}",
        columns="Você pode listar as colunas{w}?|Por favor, diga quais são as colunas{w}|Quero ver as colunas{w}",
        summary="Pode descrever os dados{w}?|Por favor, me dê o resumo{w}|Gostaria de algumas estatísticas{w}",
        charts="Você poderia fazer um {k} de {n}?|Gostaria de um {k} de {n}.|Agora desenhe um {k} de {n}|Por favor, mostre {n} em um {k}",
    ),
}

SYSTEMS = {
    "en": (
        "You are a data analyst.",
        "You analyse data with Python.",
        "Use the python tool to answer questions about the files.",
        "You are a personal data analyst. When asked a question, write and run code to answer it.",
        "You help with spreadsheets.",
    ),
    "pt": (
        "Você é um analista de dados.",
        "Você analisa dados com Python.",
        "Use a ferramenta python para responder perguntas sobre os arquivos.",
        "Você é um analista de dados. Quando perguntarem algo, escreva e rode código para responder.",
        "Você ajuda com planilhas.",
    ),
}
OPENINGS = {
    "en": ("Hi!", "Hey,", "OK,", "Then", "Next,", "Kindly", "So,", "First,", "Go ahead and", "For my report,", "Quick question:",
           "One more thing:", "Thanks.", "Would you", "I need you to", "And"),
    "pt": ("Oi!", "Ei,", "Então", "Depois", "Primeiro,", "Por gentileza,", "Para o relatório,", "Uma pergunta:", "Mais uma coisa:",
           "E", "Certo,", "Obrigado.", "Dá para", "Poderia", "Bom dia!", "Em seguida,"),
}  # fmt: skip
"""What people say before they ask, in training."""
FAILED = {
    "en": "The code failed. Please check the file and the names of the columns.",
    "pt": "O código falhou. Confira o arquivo e os nomes das colunas.",
}
NO_FILE = {
    "en": "I see no file to work with. Please attach a CSV file.",
    "pt": "Não vejo nenhum arquivo. Anexe um arquivo CSV, por favor.",
}
