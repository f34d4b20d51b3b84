"Plain English: four habits that a pattern can find stay out of the built site, the cards and the documents."
import html, re
import pytest
from conftest import ROOT, skip_or_fail

SITE = ROOT/'_docs'
GLOSSARY = 'explanations/glossary.html'                    # explains words, and may quote them

COUNT = (r'(?:one|two|three|four|five|six|seven|eight|nine|ten|hundred|thousand|million|some|many|few|\d[\d,.]*)')
THINGS = (r'(?:rows?|lines?|columns?|files?|folders?|numbers?|values?|answers?|axes|records?|pictures?|beats?|breaths?|'
          r'frames?|samples?|times|steps|points|places|operations|units|threads?|marks|turns|ms|kB|MB|GFLOP|s)')
PER = (r'(?:second|minute|hour|day|record|file|epoch|class|patient|lead|step|scan|film|picture|beat|sample|core|mV|page|'
       r'pass|wave|network|finding|method|mix|run|kind|stretch|pulse|spot|eye|plane|feature|line|node)')
ENDS = r'(?=\s*(?:[,.;:)\]|"\'’*]|$|(?:of|on|in|at|and|or|with|for|to|from|beside|by)\b))'
HABITS = {
    '"a" for "per"': [
        rf'\b[Oo]ne (?:row|line|column|file|folder|number|value|answer|score|name|logit) an? {PER}\b',
        rf'\b{COUNT} {THINGS} an? {PER}\b{ENDS}',
        r'\b(?:beats|breaths|frames|samples|times|pictures|places|values|movements) an? (?:second|minute|hour)\b',
        rf'\b(?:a|the) (?:row|line|column) an? {PER}\b',
    ],
    'told, asked, taught, learnt from': [
        r'\b(?:learnt|learned) from\b',
        r'\b(?:is|are|was|were|be|been|being|not|network|networks|reader|readers|generator) taught\b',
        r'\btaught (?:by|with|on|from|against|only|its|real|generated|to)\b',
        r'\b(?:is|are|was|were) told (?:of|by|what|how|which|about)\b|\bnot (?:to be )?told\b',
        r'\basked (?:for|of)\b',
        r'\b[Ww]hat (?:is|was|are|were) asked\b|\b(?:as|not|be|than) asked\b',
    ],
    'the verb first': [
        r'(?:^|(?<=[.:!?] ))(?:Asked|Told|Shown|Measured|Said|Kept|Left|Given|Found|Lost|Counted|Written|Learnt|Refused|Drawn)'
        r' (?:out )?(?:is|are|was|were) ',
    ],
    '"who" without a subject': [
        r'\b[Ww]hoever\b',
        r'(?:^|(?<=[.:;!] ))(?:Who|So who|And who|But who|who) [a-z]+s [^.?!;]*[.!;]',
    ],
}


def habits_in(text):
    "Pairs of a habit and the words around it; each line of the text is a block of its own."
    found = []
    for line in text.splitlines():
        line = ' '.join(line.split())
        for habit, patterns in HABITS.items():
            places = {m.start(): m for pattern in patterns for m in re.finditer(pattern, line)}
            found += [(habit, line[max(m.start() - 40, 0):m.end() + 40]) for m in places.values()]
    return found


def site_text(page):
    "What a page says: its article, a line for each block; without scripts and the tables that cells print."
    page = page[page.index('<article'):page.index('</article>')]
    page = re.sub(r'<(script|style)\b.*?</\1>|<table[^>]*\bdataframe\b.*?</table>', ' ', page, flags=re.S)
    parts = re.split(r'(<pre\b.*?</pre>)', page, flags=re.S)
    page = ''.join(part if part.startswith('<pre') else part.replace('\n', ' ') for part in parts)
    page = re.sub(r'</?(?:p|li|h\d|td|th|dt|dd|div|pre|blockquote|section|figcaption)\b[^>]*>|<br\b[^>]*>', '\n', page)
    return html.unescape(re.sub(r'<[^>]*>', '', page))


def markdown_text(text):
    "A Markdown file: one block on each line, without code."
    return re.sub(r'^[-|#>*\s]+|\s*\|\s*', '\n', re.sub(r'```.*?```', '', text, flags=re.S), flags=re.M)


@pytest.mark.parametrize('sentence', [
    'DataFrame: one row a record, the unit in the name.', 'It beats 60 times a minute.', 'two beats a second', 'It takes 0.15 s a film.',
    'A run writes a line a step.', '5 ms a record on one core', 'The network learnt from 500 films.', 'Readers taught real records only.',
    'The pulses were taught by monitors.', 'which labels are not told', 'What is asked travels with the record.', 'asked for nothing else',
    'Asked is what speaks for the finding.', 'The result. Shown are the three worst.', 'Who trains a network wants sets.',
    'So who moves along a wide axis steps off the disc.', 'Whoever has the set runs this.'])
def test_the_habits_are_found(sentence):
    assert habits_in(sentence)


@pytest.mark.parametrize('sentence', [
    'One row per record.', 'In a few records a slider goes the wrong way.', 'It takes two records at a time.', 'Who decides?', 'told apart (AUROC)',
    'the key [learned_from] of a card', 'a lesson that teaches a diffusion model', 'Two questions are asked: is each wave found?',
    'Some ask for a person who knows eyes.', 'Given a heart rate, the network is off.', 'Left and right', 'A patient, who has a pacemaker, is left out.',
    'From one record a beat is cut.', 'One record is an anecdote.', 'A named slider is a claim.', 'Read it honestly.'])
def test_plain_sentences_pass(sentence):
    assert not habits_in(sentence)


CARDS = sorted(ROOT.glob('deepsynthbody_nb/weights/*/README.md'))
assert len(CARDS) > 20


@pytest.mark.parametrize('path', [*CARDS, *(ROOT/name for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'))], ids=lambda path: str(path.relative_to(ROOT)))
def test_cards_and_documents_are_plain(path):
    assert habits_in(markdown_text(path.read_text())) == []


def test_the_site_is_plain():
    if not (SITE/'index.html').exists():
        skip_or_fail('the site is not built; make docs')
    rooms = [SITE, *(SITE/path.name for path in (ROOT/'nbs').iterdir() if any(path.glob('*.ipynb')))]
    pages = [page for room in rooms for page in room.glob('*.html') if page.stem not in ('genindex', 'search')]
    assert len(pages) > 100
    found = [(str(page.relative_to(SITE)), *habit) for page in pages for habit in habits_in(site_text(page.read_text()))]
    assert [habit for habit in found if habit[0] != GLOSSARY] == []
