"""Fixed everyday phrases, English and Brazilian Portuguese; one entry a line, `english = português`.

`>` in place of `=` is for English to Portuguese alone, `<` for Portuguese to English alone: a phrase
has one translation in each direction. {n} is a first name and {c} a city.
"""

from __future__ import annotations

_PHRASES = """
Hello! = Olá!
Hi! = Oi!
Good morning! = Bom dia!
Good afternoon! = Boa tarde!
Good night! = Boa noite!
Good evening! > Boa noite!
Goodbye! = Adeus!
Bye! = Tchau!
See you later! = Até logo!
See you tomorrow! = Até amanhã!
See you soon! = Até breve!
Welcome! = Bem-vindo!
Welcome! < Bem-vinda!
How are you? = Como você está?
How are you? < Como vai?
How are you? < Tudo bem?
I am fine, thank you. = Eu estou bem, obrigado.
I am fine, thank you. < Estou bem, obrigada.
I am fine. = Eu estou bem.
And you? = E você?
Please. = Por favor.
Thank you. = Obrigado.
Thank you. < Obrigada.
Thank you very much. = Muito obrigado.
Thank you very much. < Muito obrigada.
You are welcome. = De nada.
Excuse me. = Com licença.
Sorry. = Desculpe.
I am sorry. = Sinto muito.
No problem. = Sem problema.
Yes. = Sim.
No. = Não.
Maybe. = Talvez.
Of course. = Claro.
I do not know. = Eu não sei.
I do not know. < Não sei.
I do not understand. = Eu não entendo.
I do not understand. < Não entendo.
I understand. = Eu entendo.
Can you help me? = Você pode me ajudar?
Can you repeat, please? = Você pode repetir, por favor?
Speak more slowly, please. = Fale mais devagar, por favor.
Do you speak English? = Você fala inglês?
Do you speak Portuguese? = Você fala português?
What is your name? = Qual é o seu nome?
What is your name? < Como você se chama?
My name is {n}. = Meu nome é {n}.
My name is {n}. < Eu me chamo {n}.
I am {n}. = Eu sou {n}.
Her name is {n}. = O nome dela é {n}.
His name is {n}. = O nome dele é {n}.
Nice to meet you. = Prazer em conhecer você.
Nice to meet you, {n}. = Prazer em conhecer você, {n}.
Where are you from? = De onde você é?
I am from {c}. = Eu sou de {c}.
I live in {c}. = Eu moro em {c}.
Where do you live? = Onde você mora?
We live in {c}. = Nós moramos em {c}.
She lives in {c}. = Ela mora em {c}.
He lives in {c}. = Ele mora em {c}.
Where is {n}? = Onde está {n}?
{n} is at home. = {n} está em casa.
{n} is my friend. = {n} é meu amigo.
Good morning, {n}! = Bom dia, {n}!
Hello, {n}! = Olá, {n}!
Thank you, {n}. = Obrigado, {n}.
How old are you? = Quantos anos você tem?
What time is it? = Que horas são?
What day is it today? = Que dia é hoje?
How much is it? = Quanto é?
How much does it cost? = Quanto custa?
It is very expensive. = É muito caro.
It is cheap. = É barato.
The bill, please. = A conta, por favor.
Where is the bathroom? = Onde fica o banheiro?
I am hungry. = Eu estou com fome.
I am thirsty. = Eu estou com sede.
I am cold. = Eu estou com frio.
I am hot. = Eu estou com calor.
I am sleepy. = Eu estou com sono.
I am afraid. = Eu estou com medo.
I am in a hurry. = Eu estou com pressa.
I love you. = Eu amo você.
I miss you. = Eu sinto a sua falta.
Happy birthday! = Feliz aniversário!
Merry Christmas! = Feliz Natal!
Happy New Year! = Feliz Ano Novo!
Good luck! = Boa sorte!
Congratulations! = Parabéns!
Have a good trip! = Boa viagem!
Have a good weekend! = Bom fim de semana!
Enjoy your meal! = Bom apetite!
Cheers! = Saúde!
Be careful! = Cuidado!
Help! = Socorro!
Wait a moment. = Espere um momento.
Come here. = Venha aqui.
Let's go! = Vamos!
Sit down, please. = Sente-se, por favor.
What is this? = O que é isto?
Who is it? = Quem é?
Why? = Por quê?
When? = Quando?
Where? = Onde?
How? = Como?
What happened? = O que aconteceu?
It is raining. = Está chovendo.
It is snowing. = Está nevando.
It is hot. = Está quente.
It is cold. = Está frio.
It is sunny. = Está ensolarado.
It is windy. = Está ventando.
It is cloudy. = Está nublado.
It is hot today. = Está quente hoje.
It is cold today. = Está frio hoje.
It rained yesterday. = Choveu ontem.
It will rain tomorrow. = Vai chover amanhã.
How is the weather? = Como está o tempo?
The weather is good. = O tempo está bom.
The weather is bad. = O tempo está ruim.
Everything is fine. = Está tudo bem.
I agree. = Eu concordo.
I think so. = Eu acho que sim.
I hope so. = Eu espero que sim.
I am at home. = Eu estou em casa.
I am going home. = Eu vou para casa.
I work here. = Eu trabalho aqui.
I have a question. = Eu tenho uma pergunta.
I have a headache. = Eu estou com dor de cabeça.
Call a doctor, please. = Chame um médico, por favor.
Go straight ahead. = Siga em frente.
Turn left. = Vire à esquerda.
Turn right. = Vire à direita.
It is far. = É longe.
It is near. = É perto.
It is very late. = É muito tarde.
It is early. = É cedo.
I like music. = Eu gosto de música.
The cat sleeps. = O gato dorme.
The dog runs. = O cachorro corre.
The children play in the park. = As crianças brincam no parque.
I wake up early. = Eu acordo cedo.
I sleep late. = Eu durmo tarde.
The sky is blue. = O céu é azul.
The sun is shining. = O sol está brilhando.
What are you doing? = O que você está fazendo?
What do you want? = O que você quer?
What did you say? = O que você disse?
I want to learn. = Eu quero aprender.
See the picture. = Veja a imagem.
This is a test. = Isto é um teste.
"""


def phrases() -> tuple[tuple[str, str, str], ...]:
    """Return `(english, portuguese, direction)`, direction being "=", ">" or "<"."""
    made = []
    for line in _PHRASES.strip().splitlines():
        sign = next(mark for mark in "=><" if f" {mark} " in line)
        english, portuguese = line.split(f" {sign} ")
        made.append((english, portuguese, sign))
    return tuple(made)
