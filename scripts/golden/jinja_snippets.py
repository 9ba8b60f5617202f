"""Small templates for scripts/golden/jinja_cases.py, by what they are about."""

LEXING = r'''
a{{ name }}b
{{ name -}}   x   {{- name }}
{% if t %} yes {% endif %}!
{%- if t -%} yes {%- endif -%} !
{%+ if t +%} x {%+ endif +%} y
{# comment #}a{#- b -#} c {#+ d +#} e
{% raw %}{{ name }} {% if %}{% endraw %}.
{%- raw -%} {{ x }} {%- endraw -%} z
{{ "a" "b" 'c' }}
{{ "\n\t\\\x41\u00e9\U0001F600\101\q\'" }}
{{ "\é" }}|{{ '\	' }}
{{ 1_000 + 0x1F + 0b11 + 0o17 }} {{ 1.5e3 }} {{ 1e-7 }} {{ 1_0.2_5 }}
{{ 'it''s' }}
{{ {"a": {"b": 1}}.a.b }}
{{ {"a": {"b": {}}} }}
{{ "}}" }}{{ "%}" }}
{{ name }
{% if t }}
{{ 1 + }}
{{ (1 }}
{{ [1) }}
{{ "open }}
{# open
{% raw %} open
{% nothing %}
{% if t %}open
{% endif %}
{{ a ! b }}
{{ 007 }}
{{ list.0 }} {{ list.1.real }}
{{ 1.real }}
{{+ name }}{{- name -}}
{% set é = 1 %}{{ é }}
{{ 1 2 }}
{%- for i in list %}x{% endfor %}
{{ "\u12" }}
{{ "a\
b" }}
'''

WHITESPACE = [
    "  {% if t %}\n  a\n  {% endif %}\nb\n", "x  {% if t %}\n  a\n  {% endif %}  \nb\n\n", "\n\n{% set a = 1 %}\n\n{{ a }}\n",
    "{% for i in list %}\n    {{ i }}\n{% endfor %}\n", "a\r\nb\rc\n{{ name }}\r\n", "  {# c #}\n  x\n", "{{ name }}\n",
    "{{ name }}\n\n", "\n", "", "  {%- if t %}\n  a{% endif -%}\n  b", "  {%+ if t %}\n  a{% endif +%}\n  b",
    "\t{% if t %}\t\n\ta{% endif %}", "a {{- '' }} b", "\u00a0 {% if t %}a{% endif %}", " \u00a0{%- if t -%}\u2003a{% endif %}",
    "{% raw %}\n  a\n{% endraw %}\nb", "  {% raw %}  a  {% endraw %}  b", "{% if t -%}\n\n  a\n\n{%- endif %}", "{#- a -#}\n b",
    "{% set a %}\n  x\n{% endset %}[{{ a }}]", "line1\n  {% if t %}x{% endif %}\nline2", "{{ '\r\n' }}|{{ 'a\rb' }}",
]

OPERATORS = r'''
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }}
{{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ 2 ** 0.5 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }} {{ 1e308 * 10 }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ 1 // 0.0 }}
{{ 1 + 2 * 3 - 4 }} {{ (1 + 2) * 3 }} {{ -n }} {{ +n }} {{ - f }} {{ -t }}
{{ "a" + "b" }} {{ "ab" * 3 }} {{ 3 * "ab" }} {{ [1] + [2] }} {{ [1, 2] * 2 }} {{ (1,) + (2,) }} {{ "x" * -1 }}
{{ "a" + 1 }}
{{ 1 + "a" }}
{{ nothing + 1 }}
{{ missing + 1 }}
{{ "a" ~ 1 ~ none ~ 1.0 ~ true ~ [1, "x"] ~ missing }}
{{ 1 == 1.0 }} {{ 1 == true }} {{ "1" == 1 }} {{ [1, 2] == [1, 2] }} {{ [1] == (1,) }} {{ {"a": 1} == {"a": 1.0} }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 != 2 != 1 }} {{ "a" < "b" }} {{ [1, 2] < [1, 3] }} {{ 1 <= 1.0 }} {{ 2 >= 3 }} {{ 3 > 2 }}
{{ 1 < "a" }}
{{ none < 1 }}
{{ missing < 1 }}
{{ 1 in list }} {{ 9 in list }} {{ "b" in d }} {{ "ell" in "hello" }} {{ 9 not in list }} {{ "q" not in "hello" }} {{ 1.0 in list }}
{{ 1 in "a" }}
{{ 1 in 5 }}
{{ 1 in none }}
{{ 1 in missing }}
{{ t and n }} {{ nothing and n }} {{ nothing or "x" }} {{ not t }} {{ not missing }} {{ not not 1 }} {{ t and f or 0 }}
{{ 'a' if t else 'b' }} {{ 'a' if nothing else 'b' }} [{{ 'a' if nothing }}] {{ 1 if 0 else 2 if 0 else 3 }}
{{ ('a' if nothing).foo }}
{{ "%s-%d-%05.2f|%-5s|%5s|%x|%X|%o|%e|%g|%%|%r|%c|%+d|% d" % ("a", 3, 2.345, "l", "r", 255, 255, 8, 12345.678, 0.0001, "q", "z", 5, 6) }}
{{ "%(a)s %(b)d" % {"a": 1, "b": 2} }} {{ "%s" % "x" }} {{ "%s" % [1] }} {{ "%.3s" % "abcdef" }} {{ "%*d" % (5, 3) }}
{{ "%s" % () }}
{{ "%s" % (1, 2) }}
{{ "%d" % "x" }}
{{ "%q" % 1 }}
{{ "%5.1f|%-8d|%08d|%+.2e" % (3.14159, 42, -42, 12345) }}
{{ 9223372036854775807 }} {{ -9223372036854775807 - 1 }}
{{ numbers }}
{{ 0.1 + 0.2 }} {{ 1.0 }} {{ 1e16 }} {{ 123456789012345680.0 }} {{ 1e15 }} {{ 9.5e15 }} {{ 1e-4 }} {{ 0.00001 }} {{ -0.0 }}
{{ true + true }} {{ true * 3 }} {{ false == 0 }} {{ true ~ "" }}
{{ not 1 == 2 }} {{ 1 + 1 == 2 and 3 }} {{ 5 is odd and 4 is even }} {{ 1 ~ 2 + 3 }} {{ 2 * 3 ~ 4 }}
{{ n is not none }} {{ not n is none }} {{ n is none or n == 7 }} {{ n is divisibleby 7 }} {{ n is divisibleby(3) }}
{{ -3 | abs }} {{ (-3) | abs }} {{ 5 - 3 | abs }} {{ "a" ~ "b" | upper }} {{ 2 ** 3 | string ~ "x" }}
'''

ACCESS = r'''
{{ d.a }} {{ d['a'] }} {{ d['items'] }} {{ d.b }} [{{ d.zzz }}] [{{ d['zzz'] }}] {{ d.get('q') }} {{ d.get('q', 5) }} {{ d.get('b') }}
{{ d.zzz.y }}
{{ missing.y }}
{{ missing['y'] }}
{{ nothing.y }}|{{ nothing['y'] }}|{{ n.y }}|{{ n[0] }}
{{ nothing.y.z }}
{{ list[0] }} {{ list[-1] }} [{{ list[9] }}] {{ list[true] }} [{{ list['a'] }}] [{{ list[1.0] }}]
{{ text[2] }} {{ text[-1] }}| {{ text[3:8] }}|{{ text[::-1] }}|{{ text[15:] }}|{{ text[:-3] }}|{{ text[::2] }}|{{ text[10:2:-2] }}
{{ list[1:] }} {{ list[:1] }} {{ list[::-1] }} {{ list[5:] }} {{ (1, 2, 3)[1:] }} {{ list[-2:] }} {{ range(10)[2:8:2] }} {{ range(5)[::-1] | list }}
{{ list[::0] }}
{{ list['a':] }}
[{{ d[1:] }}] [{{ n[1:] }}]
{{ users[0].address.city }} [{{ users[1].address }}] {{ users[-1]['name'] }}
{{ users[1].address.city }}
{{ "abc".0 }}{{ "abc"[1] }} {{ "é漢😀"[1] }} {{ "é漢😀"[-1] }} {{ "é漢😀"[1:] }}
{{ list.append(4) }}
{{ list.append }}|{{ d.update }}|{{ list.append is defined }}|{{ list.__class__ }}|{{ ''.__class__ is defined }}
{{ d.pop('a') }}
{{ d.update({'q': 1}) }}
{{ ''.__class__.__mro__ }}
{{ {1: 'a', 'b': 2, none: 3, (1, 2): 4, 2.5: 5} }} {{ {1: 'a'}[1.0] }} {{ {1: 'a'}[true] }}
{{ {[1]: 2} }}
{{ {'a': 1, 'a': 2} }} {{ {} }} {{ [] }} {{ () }} {{ (1,) }} {{ [[], {}, ()] }}
{{ d.keys() }} {{ d.values() }} {{ {'a': 1}.items() }} {{ d.keys() | list }} {{ d.items() | length }}
{{ (1, 2).count(1) }} {{ [1, 2, 1].count(1) }} {{ [1, 2].index(2) }} {{ [1, 2, 1].index(1, 1) }} {{ [1].copy() }}
{{ [1].index(5) }}
{{ d.copy() }} {{ d.a.index('x') }}
{{ n.real }} {{ n.denominator }} {{ f.is_integer() }}
{{ name() }}
{{ d() }}
{{ missing() }}
{{ users | map(attribute='name') | list }} {{ users.0.name }}
'''

STATEMENTS = r'''
{% for i in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.depth }};{% endfor %}
{% for i in list %}{{ loop.cycle('a', 'b') }}{{ loop.changed(i // 2) }} {% endfor %}{% for i in [1] %}{{ loop }}{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}
{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for a, b in [(1,)] %}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for i in [] %}x{% else %}none{% endfor %}{% for i in missing %}x{% else %}none{% endfor %}{% for i in list if i > 5 %}x{% else %}none{% endfor %}
{% for i in nothing %}{% endfor %}
{% for i in 5 %}{% endfor %}
{% for i in range(5) if i is odd %}{{ i }}{{ loop.index }}{{ loop.length }}{{ loop.last }}{% endfor %}
{% for c in "aé😀" %}{{ c }}.{{ loop.length }}{% endfor %}
{% for i in range(10) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}
{% for i in list %}{% for j in list %}{{ loop.index }}{% if j == 1 %}{% break %}{% endif %}{% endfor %}{{ loop.index }};{% else %}e{% endfor %}
{% for i in range(3) %}{% set x = i %}{{ x }}{% endfor %}{{ x }}
{% set x = 1 %}{% for i in range(3) %}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}
{% for i in [1] %}[{{ x }}]{% endfor %}{% set x = 5 %}{{ x }}
{% if false %}{% set x = 1 %}{% endif %}{{ x }}
{% if true %}{% set y = 1 %}{% endif %}{{ y }}{% if false %}{% set z = 1 %}{% endif %}[{{ z }}]
{% set x %}{{ x }}!{% endset %}{{ x }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, d) = [3, 4] %}{{ c }}{{ d }}{% set e = 1, 2 %}{{ e }}
{% set a, b = 1 %}
{% set ns = namespace(a=1, b=[]) %}{% for i in list %}{% set ns.a = ns.a + i %}{% set ns.b = ns.b + [i] %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns }}[{{ ns.q }}]{{ ns['a'] }}
{% set ns = namespace({'a': 1}, b=2) %}{% set ns.c, ns.d = 3, 4 %}{{ ns.a }}{{ ns.b }}{{ ns.c }}{{ ns.d }}
{% set d.a = 1 %}
{% set ns = namespace() %}{% set ns._a = 1 %}
{% set ns = namespace(_a=1) %}
{% set ns = namespace(a=1) %}{{ ns.a.b }}|{{ ns.zz.b }}
{% set v | upper | replace('A', 'b') %}a{{ name }}{% endset %}{{ v }}
{% set x = 1 %}{% with x = 2, y = x %}{{ x }}{{ y }}{% set x = 3 %}{{ x }}{% endwith %}{{ x }}
{% with %}{% set q = 1 %}{{ q }}{% endwith %}[{{ q }}]
{% filter upper %}a{{ name }}{% set inner = 1 %}{% endfilter %}[{{ inner }}]{% filter trim | length %}  ab {% endfilter %}
{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}|{{ m(1, 3) }}|{{ m(a=5, b=6, c=7) }}|{{ m() }}|{{ m(b=1) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(q=2) }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}{{ m }}{{ m.name }}{{ m.arguments }}
{% macro m(x) %}[{{ caller() }}{{ x }}]{% endmacro %}{% call m(1) %}body{{ name }}{% endcall %}
{% macro m() %}{{ caller(1, b=2) }}{% endmacro %}{% call(a, b=3, c=4) m() %}{{ a }}{{ b }}{{ c }}{% endcall %}
{% macro m() %}{{ caller }}{% endmacro %}[{{ m() }}]
{% macro fact(i) %}{% if i <= 1 %}1{% else %}{{ i * (fact(i - 1) | int) }}{% endif %}{% endmacro %}{{ fact(10) }}
{% macro m() %}{{ y }}{% endmacro %}{% set y = 1 %}{{ m() }}{% set y = 2 %}{{ m() }}
{% macro m() %}{% set x = 1 %}{{ x }}{% endmacro %}{{ m() }}{{ x }}{% for i in list %}{% macro k() %}{{ i }}{% endmacro %}{{ k() }}{% endfor %}
{{ m() }}{% macro m() %}x{% endmacro %}
{% if n > 5 %}a{% elif n > 3 %}b{% else %}c{% endif %}{% if nothing %}a{% elif n %}b{% endif %}{% if missing %}a{% else %}c{% endif %}
{% if n, %}tuple{% endif %}
{% print n, "x" %}
{% break %}
{% for i in list %}{% macro q() %}{% break %}{% endmacro %}{% endfor %}
{% for loop in list %}{% endfor %}
{% for i in list %}{% set loop = 1 %}{% endfor %}
{% generation %}a{% set g = 1 %}{% endgeneration %}[{{ g }}]
{% for i in list %}{% generation %}{{ i }}{{ loop.index }}{% endgeneration %}{% endfor %}
{% set none = 1 %}
{% set 1 = 2 %}
{% macro m(a, a) %}{% endmacro %}
{% macro m(a=1, b) %}{% endmacro %}
{% do 1 %}
{% for i in list: %}{{ i }}{% endfor %}
{% set a = [] %}{% for i in list %}{% set a = a + [i] %}{% endfor %}{{ a }}
{{ loop }}|{{ loop is defined }}
{% for i in list %}{% if loop.first %}{% set q = 1 %}{% endif %}{{ q is defined }}{% endfor %}
{% set x = namespace(v=x) %}{{ x.v }}{% for m in [x] %}{% set m.v = 2 %}{% endfor %}{{ x.v }}
{% for a in [[1, 2], [3]] %}{% for b in a %}{{ loop.index }}{{ b }}{% endfor %}{{ loop.index }}{% endfor %}
{% for i in list %}{% filter upper %}a{% break %}{% endfilter %}b{% endfor %}c
{% set r = range(3) %}{{ r }}{{ r | list }}{{ range(1, 10, 3) | list }}{{ range(3, 0, -1) | list }}{{ range(0) | list }}{{ range(1, 7, 2) }}
{{ range(100001) }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}{% set j = joiner('|') %}{{ j() }}x{{ j() }}y{{ j() }}
{{ dict(a=1, b=2) }} {{ dict([('a', 1)]) }} {{ dict({'a': 1}, b=2) }} {{ dict() }}
{{ raise_exception('no ' ~ name) }}
{{ strftime_now('%Y-%m-%d %H:%M:%S %d %B %b %A %a %j %y %e %-d %-m %I %p %U %W %V %G %u %w %C %D %F %T %R %c %x %X %h %n%t%%') }}
{{ namespace is callable }}{{ range is callable }}{{ n is callable }}{{ 'upper' is filter }}{{ 'q' is filter }}{{ 'odd' is test }}
{{ foo(*[1, 2], **{'a': 1}) }}
{% macro m(a, b, c) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(*[1, 2], c=3) }}{{ m(*[1], **{'b': 2, 'c': 3}) }}{{ m(1, **{'b': 5}) }}
{{ m(**[1]) }}
{{ undefinedfilter | foo }}
{% if false %}{{ 1 | foo }}{% endif %}ok
{% if false %}{{ 1 is foo }}{% endif %}ok
'''

TESTS = r'''
{{ n is defined }} {{ missing is defined }} {{ missing is undefined }} {{ nothing is none }} {{ t is boolean }} {{ t is true }} {{ t is false }} {{ 1 is true }}
{{ n is integer }} {{ t is integer }} {{ f is float }} {{ n is number }} {{ t is number }} {{ f is integer }} {{ "1" is number }}
{{ name is string }} {{ n is string }} {{ d is mapping }} {{ list is mapping }} {{ list is sequence }} {{ d is sequence }} {{ name is sequence }} {{ n is sequence }} {{ missing is sequence }} {{ range(2) is sequence }} {{ d.items() is sequence }}
{{ list is iterable }} {{ n is iterable }} {{ name is iterable }} {{ missing is iterable }} {{ (list | map('string')) is iterable }} {{ nothing is iterable }}
{{ "abc" is lower }} {{ "ABC" is upper }} {{ "aB" is lower }} {{ "" is lower }} {{ "1" is upper }} {{ 3 is odd }} {{ 3 is even }} {{ 9 is divisibleby 3 }}
{{ 1 is eq 1 }} {{ 1 is equalto 2 }} {{ 1 is ne 2 }} {{ 1 is lt 2 }} {{ 1 is lessthan 2 }} {{ 1 is le 1 }} {{ 1 is gt 0 }} {{ 1 is greaterthan 0 }} {{ 1 is ge 2 }}
{{ 1 is in [1] }} {{ 1 is in list }} {{ none is sameas none }} {{ true is sameas true }} {{ 1 is sameas true }} {{ list is sameas list }}
{{ "x" is escaped }} {{ ("x" | safe) is escaped }} {{ ("x" | e) is escaped }}
{{ "x" is odd }}
{{ missing is odd }}
{{ n is foo }}
{{ n is divisibleby }}
{{ missing is callable }} {{ n is not defined }} {{ not n is defined }} {{ n is defined and n is number }}
{{ [] is true }} {{ 1.0 is integer }} {{ "a" is in "abc" }} {{ 3 is not in list }}
{{ n is none is none }}
'''

FILTERS = r'''
{{ list | first }} {{ list | last }} [{{ [] | first }}] [{{ [] | last }}] {{ list | length }} {{ name | length }} {{ d | count }} {{ "é😀" | length }} {{ missing | length }}
{{ n | length }}
{{ nothing | length }}
{{ list | join(', ') }} {{ users | join('|', attribute='name') }} {{ list | join }} {{ "abc" | join('.') }} {{ [none, true, 1.0] | join(',') }} {{ missing | join }}
{{ nothing | join }}
{{ words | sort }} {{ words | sort(case_sensitive=true) }} {{ words | sort(reverse=true) }} {{ list | sort }} {{ users | sort(attribute='age') | map(attribute='name') | list }} {{ users | sort(attribute='age,name') | map(attribute='name') | join(' ') }}
{{ [1, "a"] | sort }}
{{ words | unique | list }} {{ words | unique(true) | list }} {{ [1, 1.0, true, 2] | unique | list }} {{ users | unique(attribute='age') | map(attribute='name') | list }}
{{ list | min }} {{ list | max }} {{ words | min }} {{ words | max }} [{{ [] | min }}] {{ users | max(attribute='age') }} {{ list | sum }} {{ [1.5, 2] | sum }} {{ users | sum(attribute='age') }} {{ [[1], [2]] | sum(start=[]) }}
{{ ['a'] | sum }}
{{ list | reverse | list }} {{ "abé" | reverse }} {{ (1, 2) | reverse | list }} {{ d | reverse | list }}
{{ list | batch(2) | list }} {{ list | batch(2, 'x') | list }} {{ range(7) | slice(3) | list }} {{ range(7) | slice(3, 'x') | list }}
{{ users | groupby('age') }}
{% for g in users | groupby('age') %}{{ g.grouper }}{{ g.list | length }}{{ g[0] }}{% endfor %}{{ users | groupby('address.city', default='none') | map('first') | list }}
{{ d | dictsort }} {{ {'b': 1, 'A': 3, 'c': 2} | dictsort }} {{ {'b': 1, 'A': 3} | dictsort(true) }} {{ {'b': 1, 'A': 3} | dictsort(by='value', reverse=true) }}
{{ list | dictsort }}
{{ {'a': 1} | items | list }} {{ missing | items | list }}
{{ list | items | list }}
{{ users | map(attribute='address.city') | list }} {{ users | map(attribute='zip', default='?') | list }} {{ words | map('upper') | list }} {{ words | map('replace', 'a', 'z') | join }}
{{ list | map | list }}
{{ list | map('foo') | list }}
{{ list | select('odd') | list }} {{ list | reject('odd') | list }} {{ list | select('gt', 1) | list }} {{ [0, 1, '', 'a', none] | select | list }} {{ [0, 1, ''] | reject | list }}
{{ users | selectattr('address') | map(attribute='name') | list }} {{ users | selectattr('age', 'equalto', 31) | map(attribute='name') | list }} {{ users | rejectattr('address', 'defined') | map(attribute='name') | list }} {{ users | selectattr('age', 'in', [25]) | list | length }}
{{ users | selectattr('name', 'equalto', 'Zoe') | first }} [{{ users | selectattr('name', 'equalto', 'Q') | first }}] {{ 'yes' if users | selectattr('name', 'equalto', 'Q') else 'no' }}
{{ users | selectattr('a', 'b') | length }}
{{ (users | selectattr('age'))[0] }}|{{ users | selectattr('age') | map(attribute='age') | sum }}
{{ words | map('upper') | last }}
{{ [1, 2] | map('string') | join('-') }} {{ ['1', '2'] | map('int') | sum }} {{ [1, [2]] | map('tojson') | list }}
{{ missing | default('d') }} {{ nothing | default('d') }} {{ nothing | default('d', true) }} {{ '' | d('x', boolean=true) }} [{{ missing | default }}] {{ d.zz | default(1) }}
{{ missing.a | default('d') }}
{{ name | upper }} {{ name | lower }} {{ "hELLO wORLD" | capitalize }} {{ "hello wORLD-foo (bar) ünder" | title }} {{ "ß straße ŉ ǆ" | upper }} {{ "ΑΣ ΣΑΣ" | lower }} {{ none | upper }} {{ 5 | upper }} [{{ missing | upper }}]
{{ "  a b " | trim }}| {{ "xxaxx" | trim('x') }} {{ none | trim }} {{ 5 | trim }} {{ "\u00a0a\u3000" | trim }}|
{{ "aXbXc" | replace('X', '-') }} {{ "aXbXc" | replace('X', '-', 1) }} {{ "abc" | replace('', '-') }} {{ 123 | replace(2, 'x') }} {{ "aaa" | replace('aa', 'b') }} {{ "abc" | replace('', '-', 2) }}
{{ "a\nb\n\nc" | indent }}|{{ "a\nb" | indent(2, true) }}|{{ "a\n\nb" | indent(2, blank=true) }}|{{ "a\nb" | indent('> ') }}|{{ "" | indent }}|{{ "a\n" | indent(first=true) }}
{{ 5 | indent }}
{{ "foo bar baz qux" | truncate(9) }} {{ "foo bar baz qux" | truncate(9, true) }} {{ "foo bar baz qux" | truncate(11) }} {{ "foo bar baz qux" | truncate(11, false, '...', 0) }} {{ "é" * 20 | truncate(5) }}
{{ "abc" | truncate(1) }}
{{ "hello world, it's" | wordcount }} {{ "x" | center(5) }}| {{ "ab" | center(5) }}| {{ "abc" | center(6) }}|
{{ "<a href='x'>&\"</a>" | escape }} {{ "<b>x</b>  y <!-- c --> &amp; z" | striptags }} {{ "<" | e | e }} {{ "<" | forceescape }} {{ "a b/ü?&" | urlencode }} {{ {'a': 'b c', 'd': '/'} | urlencode }}
{{ ("<" | safe) + "<" }} {{ "<" + ("<" | safe) }} {{ ("<" | safe) ~ "<" }} {{ ("<b>" | safe) | upper }} {{ [("<" | safe)] }} {{ ("a<" | safe).replace("a", "<") }} {{ ("%s<" | safe) % "<" }} {{ ("<" | safe).join(["<", "a"]) }} {{ (("<ab" | safe)[1:]) + "<" }} {{ ("{}" | safe).format("<") }} {{ ("<" | safe) | replace("<", "a") }} {{ ("< " | safe) | trim + "<" }} {{ ("<,<" | safe).split(",") }}
{{ "12" | int }} {{ "12.7" | int }} {{ "x" | int }} {{ "x" | int(5) }} {{ "0x1F" | int(base=16) }} {{ " 7 " | int }} {{ "1_000" | int }} {{ none | int }} {{ 3.9 | int }} {{ -3.9 | int }} {{ true | int }} {{ "1e3" | int }} {{ "ff" | int(0, 16) }} {{ "" | int }} {{ [] | int }}
{{ missing | int }}
{{ "1.5" | float }} {{ "x" | float }} {{ "x" | float(2.0) }} {{ 3 | float }} {{ "1e3" | float }} {{ none | float }} {{ " inf " | float }} {{ "1_0.5" | float }} {{ "nan" | float }}
{{ 42.55 | round }} {{ 42.55 | round(1) }} {{ 2.5 | round }} {{ 3.5 | round }} {{ 42.55 | round(1, 'floor') }} {{ 42.51 | round(1, 'ceil') }} {{ 2.675 | round(2) }} {{ 5 | round }} {{ 1234 | round(-2) }} {{ 1250 | round(-2) }} {{ 1350 | round(-2) }} {{ 7 | round(0, 'floor') }} {{ -0.5 | round }} {{ 1e20 | round(2) }}
{{ 1 | round(0, 'x') }}
{{ "a" | round }}
{{ -5 | abs }} {{ (-5.5) | abs }} {{ true | abs }}
{{ "a" | abs }}
{{ d | tojson }} {{ nested | tojson }} {{ nested | tojson(ensure_ascii=true) }} {{ numbers | tojson }} {{ "é\"\\/<>&'\u2028" | tojson }} {{ [1, (2, 3), none, true] | tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 5} | tojson }}
{{ d | tojson(indent=2) }} {{ nested | tojson(indent=4) }} {{ [] | tojson(indent=2) }} {{ {'b': [1, {}], 'a': {}} | tojson(indent='\t', sort_keys=true) }} {{ [1, 2] | tojson(indent=0) }}
{{ d | tojson(separators=(',', ':')) }} {{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ [1] | tojson(separators=(' , ', ' : '), indent=1) }}
{{ missing | tojson }}
{{ namespace() | tojson }}
{{ (list | map('string')) | tojson }}
{{ {(1, 2): 3} | tojson }}
{{ 1e999 | tojson }} {{ -1e999 | tojson }} {{ "\ud83d" }}
{{ 1e999 }} {{ 1e999 | tojson }} {{ ("a\u0000b\u001f\u007f\b\f" | tojson) }}
{{ "%s %s" | format("a", 1) }} {{ "%(a)s" | format(a=1) }} {{ "x" | string }} {{ 1.0 | string }} {{ [1] | string }} {{ list | list }} {{ "aé" | list }} {{ d | list }}
{{ "%s %s" | format("a", b=1) }}
{{ d | attr('keys') is callable }} [{{ d | attr('b') }}] {{ "x" | attr('upper')() }}
{{ n | upper(1) }}
{{ list | join(1, 2, 3) }}
{{ list | join(foo=1) }}
{{ "x" | replace }}
{% call range(3) %}{% endcall %}
'''

METHODS = r'''
{{ "a,b,,c".split(',') }} {{ "a,b,c".split(',', 1) }} {{ " a  b c ".split() }} {{ " a  b c  ".split(none, 1) }} {{ "a b c".split(maxsplit=1) }} {{ "".split() }} {{ "".split(',') }} {{ "aXXbXXc".split('XX')[-1] }}
{{ "a".split('') }}
{{ "a,b,c".rsplit(',', 1) }} {{ " a b  c ".rsplit(none, 1) }} {{ "a,b".rsplit(',') }} {{ "a b c".rsplit() }} {{ "éXüXß".rsplit('X', 1) }}
{{ "a\nb\r\nc\rd\u2028e\x0bf\n".splitlines() }} {{ "a\nb\n".splitlines(true) }} {{ "".splitlines() }} {{ "\n\n".splitlines() }}
[{{ "  a ".strip() }}] [{{ "  a ".lstrip() }}] [{{ "  a ".rstrip() }}] {{ "xyaxy".strip('xy') }} {{ "\n\na".lstrip('\n') }} {{ "ééaé".strip('é') }} {{ "abc".strip('') }} {{ "a".strip(none) }}
{{ "a".strip(1) }}
{{ name.startswith('Wo') }} {{ name.startswith(('x', 'W')) }} {{ name.endswith('ld') }} {{ name.endswith(('a', 'b')) }} {{ name.startswith('o', 1) }} {{ name.startswith('o', 1, 3) }} {{ name.endswith('r', 0, 3) }} {{ name.startswith('') }} {{ name.startswith('', 9) }}
{{ name.startswith(['W']) }}
{{ name.startswith(1) }}
{{ name.replace('o', '0') }} {{ "aaa".replace('a', 'b', 2) }} {{ "abc".replace('', '-') }} {{ "aaa".replace('a', 'b', -1) }}
{{ name.replace('o', 1) }}
{{ name.upper() }} {{ name.lower() }} {{ "they're bill's ab3c éA" | string }} {{ "they're bill's ab3c éA".title() }} {{ "hELLO".capitalize() }} {{ "aBc É ß".swapcase() }} {{ "Straße ΣΑΣ".casefold() }} {{ "ǆ".title() }} {{ "ŉ".capitalize() }}
{{ "hello".find('l') }} {{ "hello".find('z') }} {{ "hello".rfind('l') }} {{ "hello".index('e') }} {{ "hello".find('l', 3) }} {{ "hello".find('l', 0, 2) }} {{ "é漢é".rfind('é') }} {{ "é漢é".find('漢') }} {{ "abc".find('') }} {{ "abc".rfind('') }} {{ "abc".find('', 5) }} {{ "hello".find('l', -2) }} {{ "hello".rindex('l') }}
{{ "hello".index('z') }}
{{ "banana".count('an') }} {{ "banana".count('') }} {{ "aaa".count('aa') }} {{ "banana".count('a', 2) }} {{ "banana".count('a', 2, 4) }}
{{ ','.join(['a', 'b']) }} {{ ','.join('abc') }} {{ ''.join([]) }}
{{ ','.join([1]) }}
{{ "abc".removeprefix('a') }} {{ "abc".removesuffix('bc') }} {{ "abc".removeprefix('z') }} {{ "a=b=c".partition('=') }} {{ "a=b=c".rpartition('=') }} {{ "abc".partition('=') }} {{ "abc".rpartition('=') }}
{{ "12".isdigit() }} {{ "²".isdigit() }} {{ "½".isnumeric() }} {{ "٣".isdecimal() }} {{ "é".isalpha() }} {{ "é1".isalnum() }} {{ " \t".isspace() }} {{ "".isalpha() }} {{ "AB".isupper() }} {{ "a1".islower() }} {{ "Ab Cd".istitle() }} {{ "é".isascii() }} {{ "a\n".isprintable() }} {{ "漢".isalpha() }} {{ "a b".isalpha() }}
{{ "7".zfill(3) }} {{ "-7".zfill(4) }} {{ "ab".ljust(4) }}| {{ "ab".rjust(4, '*') }} {{ "ab".center(5, '-') }} {{ "a".center(4) }}| {{ "a\tb".expandtabs(4) }} {{ "éa".zfill(4) }} {{ "abc".center(6) }}|
{{ "ab".ljust(4, 'xx') }}
{{ "{} {}".format(1, 'a') }} {{ "{0} {1} {0}".format(1, 2) }} {{ "{a} {b.name}".format(a=1, b={'name': 2}) }} {{ "{{}} {}".format(1) }} {{ "{:>5}|{:<5}|{:^5}|{:05d}|{:.2f}|{:,}|{:x}|{:%}|{!r}".format('a', 'b', 'c', 42, 3.14159, 1234567, 255, 0.5, 'q') }} {{ "{:{w}}|".format('a', w=4) }} {{ "{:+d} {: d} {:#x} {:e} {:g} {:b} {:_}".format(1, 2, 255, 1234.5, 0.00001, 5, 1234567) }} {{ "{:*^9.3}".format("abcdef") }} {{ "{:10.3}".format(3.14159) }} {{ "{0[a]} {0[b][0]}".format({'a': 1, 'b': [2]}) }}
{{ "{} {}".format(1) }}
{{ "{".format(1) }}
{{ "{a}".format(1) }}
{{ "{:d}".format('a') }}
{{ "{:q}".format(1) }}
{{ "{0} {}".format(1, 2) }}
{{ "{a}".format_map({'a': 1}) }} {{ "{:.1f} {:.0f} {:8.3f}|{:<8.2f}|{:,.2f}".format(2.25, 2.5, 3.14159, 2.0, 1234567.891) }} {{ "{}".format(none) }} {{ "{}".format([1, 'a']) }} {{ "{:5}|{:<5}|{:5}|".format(1, 2, true) }}
{{ "{:>5}".format(none) }}
{{ name.nosuch }}|{{ name.nosuch is defined }}
{{ name.nosuch() }}
{{ "a".upper(1) }}
{{ repr }}{{ ["a'b", 'a"b', "a'\"b", "\n\t\\", "é\x7f\u200b\u00ad\ue000😀\U000e0001"] }}
{{ {'a': "it's"} }} {{ [none, true, 1.5, missing] }} {{ ("a",) }} {{ [1e100, 1e-100] }} {{ ["a" | safe] }}
{{ d.a.index('q') }}
'''

RESOLUTION = [
    "{% for i in [1, 2] %}{% if i == 2 %}{{ x }}{% endif %}{% set x = i %}{% endfor %}",
    "{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% set x = 1 %}{{ m() }}", "{% macro m() %}{% if false %}{% set x = 1 %}{% endif %}{{ x }}{% endmacro %}{{ m() }}",
    "{% for i in [1] %}{% for j in [1] %}{{ x }}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}{% endfor %}",
    "{% for x in [1] %}{{ x }}{% endfor %}{{ x }}", "{% if t %}{% for i in [1] %}{{ x }}{% endfor %}{% endif %}{% set x = 3 %}",
    "{% with x = 1 %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endwith %}", "{% set x = x %}{{ x }}",
    "{% for i in [1, 2] %}{% if i == 1 %}{% set x = 'in' %}{% endif %}{{ x }}{% endfor %}",
    "{% for i in [1, 2] %}{% set x = x ~ i %}{{ x }} {% endfor %}{{ x }}", "{% set range = 5 %}{{ range }}", "{{ namespace.x }}",
    "{% filter upper %}{% set x = 'f' %}{{ x }}{% endfilter %}{{ x }}", "{% call(x) m() %}{{ x }}{% endcall %}",
    "{% macro m(x=x) %}{{ x }}{% endmacro %}{{ m() }}", "{% macro m(a=b, b=1) %}{{ a }}|{{ b }}{% endmacro %}{{ m() }}",
    "{% for item in list %}{% set found = false %}{% for k in [1] %}{% set found = true %}{% endfor %}{{ found }}{% endfor %}",
    "{% set ns = namespace(n=0) %}{% macro up() %}{% set ns.n = ns.n + 1 %}{% endmacro %}{{ up() }}{{ up() }}{{ ns.n }}",
    "{% for i in list if i > ns.n %}{% set ns.n = 2 %}{{ i }}{% endfor %}",
    "{% set ns = namespace(n=0) %}{% for i in [1, 2, 3] if i > ns.n %}{% set ns.n = 2 %}{{ i }}{% endfor %}",
    "{% set ns = namespace(n=0) %}{% for i in [1, 2, 3] if i > ns.n %}{{ loop.last }}{% set ns.n = 2 %}{{ i }}{% endfor %}",
    "{% if x is defined and x %}{{ x }}{% endif %}{% if not y is defined %}{% set y = [] %}{% endif %}{{ y }}",
    "{{ users[1:] | map(attribute='name') | map('upper') | join(',') }}", "{{ [1, 2, 3] | map('multiply') | list }}",
    "{% set m = users[0] %}{{ m.name }}{% set m = dict(m, name='new') %}{{ m.name }}{{ users[0].name }}",
]


def lines(text):
    return [line for line in text.split("\n") if line]


SNIPPETS = (lines(LEXING) + WHITESPACE + lines(OPERATORS) + lines(ACCESS) + lines(STATEMENTS) + lines(TESTS)
            + lines(FILTERS) + lines(METHODS) + RESOLUTION)
