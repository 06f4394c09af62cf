"""The bilingual lexicon of the everyday grammar: English and Brazilian Portuguese, side by side.

Pure data and the forms that follow from it. Knows nothing about sentences.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Noun:
    """A noun in both languages; `gender` is the Portuguese one."""

    en: str
    en_plural: str
    pt: str
    pt_plural: str
    gender: str
    kinds: frozenset[str]


@dataclass(frozen=True)
class Adjective:
    """An adjective: masculine, feminine and their plurals; `state` takes "estar"."""

    en: str
    pt: tuple[str, str, str, str]
    state: bool
    of_things: bool
    of_people: bool


@dataclass(frozen=True)
class Verb:
    """A verb with its forms; Portuguese in the order eu, você/ele, nós, eles."""

    en: str
    en_third: str
    en_past: str
    en_ing: str
    pt: str
    present: tuple[str, str, str, str]
    past: tuple[str, str, str, str]
    preposition: str
    objects: frozenset[str]


# english [plural] = portuguese [plural] gender ; kinds: t thing, p person, a animal, f food counted,
# m food or drink as a mass, l place, r something to read, w clothing, o object with a place
_NOUNS = """
book=livro m tro;newspaper=jornal,jornais m tr;letter=carta f tr;magazine=revista f tr;message=mensagem,mensagens f r
house=casa f l;school=escola f l;bank=banco m l;market=mercado m l;bakery=padaria f l;hospital=hospital,hospitais m l
church=igreja f l;station=estação,estações f l;hotel=hotel,hotéis m l;library=biblioteca f l;park=parque m l
square=praça f l;restaurant=restaurante m l;pharmacy=farmácia f l;beach=praia f l;office=escritório m l
museum=museu m l;airport=aeroporto m l;kitchen=cozinha f l;garden=jardim,jardins m l;room=quarto m l;city=cidade f l
street=rua f l;cinema=cinema m l;shop=loja f l;farm=fazenda f l;bridge=ponte f l;village=vila f l;office building=prédio m l
car=carro m t;bicycle=bicicleta f t;table=mesa f to;chair=cadeira f to;door=porta f d;window=janela f d;box=caixa f to
key=chave f to;phone=telefone m to;computer=computador m to;pen=caneta f to;pencil=lápis,lápis m to;bag=bolsa f tow
cup=xícara f to;plate=prato m to;knife=faca f to;spoon=colher,colheres f to;fork=garfo m to;glass=copo m to
clock=relógio m to;lamp=lâmpada f to;bed=cama f t;picture=quadro m to;gift=presente m to;ball=bola f to;toy=brinquedo m to
camera=câmera f to;ticket=bilhete m to;map=mapa m tor;umbrella=guarda-chuva m tow;boat=barco m t;train=trem,trens m v
bus=ônibus,ônibus m v;plane=avião,aviões m v;flower=flor,flores f to;tree=árvore f t;stone=pedra f to;guitar=violão,violões m t
dog=cachorro m a;cat=gato m a;bird=pássaro m a;horse=cavalo m a;fish=peixe m a;cow=vaca f a;chicken=galinha f a;duck=pato m a
mouse=rato m a;rabbit=coelho m a;sheep=ovelha f a;pig=porco m a;lion=leão,leões m a;monkey=macaco m a;bee=abelha f a
man=homem,homens m p;woman=mulher,mulheres f p;boy=menino m p;girl=menina f p;child=criança f p;friend=amigo m p
teacher=professor,professores m p;doctor=médico m p;student=aluno m p;neighbour=vizinho m p;baby=bebê m p
mother=mãe f pk;father=pai m pk;brother=irmão,irmãos m pk;sister=irmã f pk;son=filho m pk;daughter=filha f pk
grandmother=avó f pk;grandfather=avô m pk;uncle=tio m pk;aunt=tia f pk;cousin=primo m pk;wife=esposa f pk;husband=marido m pk
engineer=engenheiro m pj;nurse=enfermeira f pj;cook=cozinheiro m pj;driver=motorista m pj;singer=cantora f pj;writer=escritor,escritores m pj
apple=maçã f f;banana=banana f f;egg=ovo m f;cake=bolo m f;sandwich=sanduíche m f;potato=batata f f;tomato=tomate m f
onion=cebola f f;carrot=cenoura f f;lemon=limão,limões m f;pear=pera f f;mango=manga f f;cookie=biscoito m f;grape=uva f f
pineapple=abacaxi m f;strawberry=morango m f;watermelon=melancia f f;pizza=pizza f f;salad=salada f f
bread=pão,pães m m;cheese=queijo m m;meat=carne f m;rice=arroz,arroz m m;soup=sopa f m;butter=manteiga f m;sugar=açúcar m m
salt=sal,sais m m;chocolate=chocolate m m;fruit=fruta f m;honey=mel,méis m m;pasta=macarrão,macarrões m m
water=água f b;coffee=café m b;tea=chá m b;milk=leite m b;juice=suco m b;wine=vinho m b;beer=cerveja f b
shirt=camisa f w;dress=vestido m w;hat=chapéu m w;shoe=sapato m w;coat=casaco m w;skirt=saia f w;sock=meia f w;ring=anel,anéis m tow
money=dinheiro m x;music=música f y;football=futebol,futebóis m y;history=história f s;science=ciência f s;mathematics=matemática f s
English=inglês,ingleses m g;Portuguese=português,portugueses m g;Spanish=espanhol,espanhóis m g;French=francês,franceses m g
"""
_ODD_PLURALS = {
    "man": "men", "woman": "women", "child": "children", "knife": "knives", "wife": "wives", "mouse": "mice",
    "fish": "fish", "sheep": "sheep", "potato": "potatoes", "tomato": "tomatoes", "mango": "mangoes",
}  # fmt: skip

# "!" is said of things only, "@" of people only; the others of both. "*" takes "estar".
_ADJECTIVES = """
big=grande;small=pequeno;new=novo!;old=velho;beautiful=bonito;ugly=feio;expensive=caro!;cheap=barato!;good=bom,boa,bons,boas
bad=ruim,ruim,ruins,ruins!;heavy=pesado;light=leve!;long=longo!;short=curto!;strong=forte;weak=fraco;fast=rápido;slow=lento
easy=fácil,fácil,fáceis,fáceis!;difficult=difícil,difícil,difíceis,difíceis!;interesting=interessante;important=importante
red=vermelho!;blue=azul,azul,azuis,azuis!;green=verde!;yellow=amarelo!;black=preto!;white=branco!
brown=marrom,marrom,marrons,marrons!;rich=rico@;poor=pobre@;young=jovem,jovem,jovens,jovens@;famous=famoso;modern=moderno!
quiet=silencioso;round=redondo!;tall=alto;kind=gentil,gentil,gentis,gentis@;intelligent=inteligente@;funny=engraçado
clean=limpo*;dirty=sujo*;open=aberto*!;closed=fechado*!;empty=vazio*!;full=cheio*!;broken=quebrado*!;ready=pronto*;wet=molhado*
dry=seco*!;tired=cansado*@;happy=feliz,feliz,felizes,felizes*@;sad=triste*@;sick=doente*@;busy=ocupado*@;married=casado*@
alone=sozinho*@;angry=zangado*@;calm=calmo*@;nervous=nervoso*@;lost=perdido*;worried=preocupado*@;hot=quente*!;cold=frio*!
"""

# english third past ing | infinitive | present x4 | past x4 | preposition | object kinds
_VERBS = """
eat eats ate eating|comer|como come comemos comem|comi comeu comemos comeram||fm
drink drinks drank drinking|beber|bebo bebe bebemos bebem|bebi bebeu bebemos beberam||b
buy buys bought buying|comprar|compro compra compramos compram|comprei comprou compramos compraram||tfmbwr
sell sells sold selling|vender|vendo vende vendemos vendem|vendi vendeu vendemos venderam||tfmbw
see sees saw seeing|ver|vejo vê vemos veem|vi viu vimos viram||tpalow
like likes liked liking|gostar|gosto gosta gostamos gostam|gostei gostou gostamos gostaram|de|tfmbwyal
have has had having|ter|tenho tem temos têm|tive teve tivemos tiveram||tfmbwa
want wants wanted wanting|querer|quero quer queremos querem|quis quis quisemos quiseram||tfmbw
need needs needed needing|precisar|preciso precisa precisamos precisam|precisei precisou precisamos precisaram|de|tbwm
read reads read reading|ler|leio lê lemos leem|li leu lemos leram||r
write writes wrote writing|escrever|escrevo escreve escrevemos escrevem|escrevi escreveu escrevemos escreveram||r
open opens opened opening|abrir|abro abre abrimos abrem|abri abriu abrimos abriram||d
close closes closed closing|fechar|fecho fecha fechamos fecham|fechei fechou fechamos fecharam||d
find finds found finding|encontrar|encontro encontra encontramos encontram|encontrei encontrou encontramos encontraram||topa
use uses used using|usar|uso usa usamos usam|usei usou usamos usaram||tw
clean cleans cleaned cleaning|limpar|limpo limpa limpamos limpam|limpei limpou limpamos limparam||tlw
carry carries carried carrying|carregar|carrego carrega carregamos carregam|carreguei carregou carregamos carregaram||t
lose loses lost losing|perder|perco perde perdemos perdem|perdi perdeu perdemos perderam||tow
know knows knew knowing|conhecer|conheço conhece conhecemos conhecem|conheci conheceu conhecemos conheceram||pl
help helps helped helping|ajudar|ajudo ajuda ajudamos ajudam|ajudei ajudou ajudamos ajudaram||p
love loves loved loving|amar|amo ama amamos amam|amei amou amamos amaram||pay
visit visits visited visiting|visitar|visito visita visitamos visitam|visitei visitou visitamos visitaram||pl
study studies studied studying|estudar|estudo estuda estudamos estudam|estudei estudou estudamos estudaram||sg
speak speaks spoke speaking|falar|falo fala falamos falam|falei falou falamos falaram||g
learn learns learned learning|aprender|aprendo aprende aprendemos aprendem|aprendi aprendeu aprendemos aprenderam||sg
wash washes washed washing|lavar|lavo lava lavamos lavam|lavei lavou lavamos lavaram||wt
cook cooks cooked cooking|cozinhar|cozinho cozinha cozinhamos cozinham|cozinhei cozinhou cozinhamos cozinharam||mf
bring brings brought bringing|trazer|trago traz trazemos trazem|trouxe trouxe trouxemos trouxeram||tfmbw
pay_for pays_for paid_for paying_for|pagar|pago paga pagamos pagam|paguei pagou pagamos pagaram||b
break breaks broke breaking|quebrar|quebro quebra quebramos quebram|quebrei quebrou quebramos quebraram||to
draw draws drew drawing|desenhar|desenho desenha desenhamos desenham|desenhei desenhou desenhamos desenharam||talp
hear hears heard hearing|ouvir|ouço ouve ouvimos ouvem|ouvi ouviu ouvimos ouviram||yap
wait_for waits_for waited_for waiting_for|esperar|espero espera esperamos esperam|esperei esperou esperamos esperaram||v
take takes took taking|pegar|pego pega pegamos pegam|peguei pegou pegamos pegaram||vt
"""

NUMBERS = tuple(
    tuple(item.split("="))
    for item in [
        "one=um",
        "two=dois",
        "three=três",
        "four=quatro",
        "five=cinco",
        "six=seis",
        "seven=sete",
        "eight=oito",
        "nine=nove",
        "ten=dez",
        "eleven=onze",
        "twelve=doze",
        "thirteen=treze",
        "fourteen=quatorze",
        "fifteen=quinze",
        "sixteen=dezesseis",
        "seventeen=dezessete",
        "eighteen=dezoito",
        "nineteen=dezenove",
        "twenty=vinte",
    ]
)
TENS = tuple(
    tuple(item.split("="))
    for item in [
        "twenty=vinte",
        "thirty=trinta",
        "forty=quarenta",
        "fifty=cinquenta",
        "sixty=sessenta",
        "seventy=setenta",
        "eighty=oitenta",
        "ninety=noventa",
    ]
)


def _english_plural(word: str) -> str:
    if word in _ODD_PLURALS:
        return _ODD_PLURALS[word]
    if word.endswith(("s", "sh", "ch", "x")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def nouns() -> tuple[Noun, ...]:
    """Return every noun."""
    made = []
    for line in _NOUNS.strip().splitlines():
        for item in line.split(";"):
            english, rest = item.split("=")
            words, gender, kinds = rest.rsplit(" ", 2)
            singular, _, plural = words.partition(",")
            plural = plural or (singular + ("es" if singular.endswith(("r", "z")) else "s"))
            made.append(Noun(english, _english_plural(english), singular, plural, gender, frozenset(kinds)))
    return tuple(made)


def adjectives() -> tuple[Adjective, ...]:
    """Return every adjective."""
    made = []
    for item in ";".join(_ADJECTIVES.strip().splitlines()).split(";"):
        english, forms = item.split("=")
        given = forms.rstrip("*!@").split(",")
        if len(given) == 1:
            masculine = given[0]
            feminine = masculine[:-1] + "a" if masculine.endswith("o") else masculine
            given = [masculine, feminine, masculine + "s", feminine + "s"]
        made.append(
            Adjective(
                english,
                (given[0], given[1], given[2], given[3]),
                "*" in forms,
                "@" not in forms,
                "!" not in forms,
            )
        )
    return tuple(made)


def verbs() -> tuple[Verb, ...]:
    """Return every transitive verb."""
    made = []
    for line in _VERBS.strip().splitlines():
        english, infinitive, present, past, preposition, objects = line.split("|")
        base, third, english_past, ing = (form.replace("_", " ") for form in english.split())
        now, then = present.split(), past.split()
        made.append(
            Verb(
                base, third, english_past, ing, infinitive,
                (now[0], now[1], now[2], now[3]), (then[0], then[1], then[2], then[3]),
                preposition, frozenset(objects),
            )
        )  # fmt: skip
    return tuple(made)
