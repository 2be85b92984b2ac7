//! Stacks by hand: the options of `docker-compose`, then each file behind `=== path`.

pub(super) const CASES: &[&str] = &[
    // Merging.
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}, b: {image: y}}
=== b.yml
services: {a: {image: z}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}}
=== b.yml
services: {a: {restart: always}, b: {build: .}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x, build: .}}
=== b.yml
services: {a: {image: !reset null}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x, build: .}}
=== b.yml
services: {a: {build: !reset null}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x, build: .}}
=== b.yml
services: {a: !override {image: y}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}, b: {image: y}}
=== b.yml
services: {a: !reset null}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}, b: {image: y}}
=== b.yml
services: !override {c: {image: z}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}}
=== b.yml
services: {a: {image: }}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}}
=== b.yml
services: {a: {image: ''}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}}
=== b.yml
services: {a: }
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}}
=== b.yml
volumes: {v: {}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {build: .}}
=== b.yml
services: {a: {build: {args: {A: b}}}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {build: {context: ., additional_contexts: {n: 'docker-image://x', m: 'docker-image://m'}}}}
=== b.yml
services: {a: {build: {additional_contexts: ['n=docker-image://y', 'o=../o']}}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x, volumes: [{type: image, source: v, target: /v}, {type: image, source: w, target: /w}]}}
=== b.yml
services: {a: {volumes: [{type: image, source: z, target: /v}, './w:/w:ro']}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x, volumes: [{type: image, source: v, target: /v}]}}
=== b.yml
services: {a: {volumes: !override ['./w:/w']}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {restart: always}}
=== b.yml
services: {a: {}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}}
=== b.yml
services: {a: {image: [y]}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x, volumes: ['./a:/a']}}
=== b.yml
services: {a: {volumes: {a: b}}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}}
=== b.yml
services: [a]
",
    "-f a.yml
=== a.yml
a: {image: x}
",
    // Several documents are merged like files.
    "-f a.yml
=== a.yml
services: {a: {image: x}, b: {image: y}}
---
services: {a: {image: z}}
",
    "-f a.yml
=== a.yml
services: {a: {image: x, build: .}}
---
services: {a: {image: !reset null}}
",
    // Extends.
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}, b: {extends: a}}
=== b.yml
services: {a: {image: y}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}, b: {image: z}}
=== b.yml
services: {a: {image: y}, b: {extends: a, image: !reset null}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x}}
=== b.yml
services: {b: {extends: a}}
",
    "-f a.yml
=== a.yml
services: {a: {extends: {file: sub/b.yml, service: b}}}
=== sub/b.yml
services: {b: {extends: {file: c.yml, service: c}}}
=== sub/c.yml
services: {c: {image: x}}
",
    "-f a.yml
=== a.yml
services: {a: {extends: {file: b.yml, service: b}}}
=== b.yml
services: {b: {extends: c}, c: {image: x, build: .}}
",
    "-f a.yml -f sub/b.yml
=== a.yml
services: {a: {image: x}}
=== sub/b.yml
services: {a: {extends: {file: c.yml, service: c}, image: y}, b: {extends: {file: c.yml, service: c}}}
=== c.yml
services: {c: {image: here}}
=== sub/c.yml
services: {c: {image: there}}
",
    "-f a.yml
=== a.yml
services: {a: {extends: b}, b: {extends: a}}
",
    "-f a.yml
=== a.yml
services: {a: {image: x, extends: a}}
",
    "-f a.yml
=== a.yml
services: {a: {extends: {file: b.yml, service: b}}}
=== b.yml
services: {b: {extends: {file: a.yml, service: a}, image: x}}
",
    "-f a.yml
=== a.yml
services: {a: {image: x, extends: {file: no.yml, service: b}}}
",
    "-f a.yml
=== a.yml
services: {a: {image: x, extends: {file: b.yml, service: no}}}
=== b.yml
services: {b: {image: y}}
",
    "-f a.yml
=== a.yml
services: {a: {image: !reset null, build: ., extends: b}, b: {image: y}}
",
    "-f a.yml
=== a.yml
services: {a: {extends: b, volumes: ['./x:/v']}, b: {image: y, volumes: [{type: image, source: z, target: /v}]}}
",
    "-f a.yml
=== a.yml
services: {a: {extends: {file: b.yml, service: b}}}
=== b.yml
services: {b: {image: x}}
---
services: {b: {image: y}}
",
    // Include.
    "-f a.yml
=== a.yml
include: [sub/b.yml]
services: {a: {image: x}}
=== sub/b.yml
services: {b: {image: y}}
",
    "-f a.yml -f o.yml
=== a.yml
include: [sub/b.yml]
services: {a: {image: x}}
=== sub/b.yml
services: {b: {image: y}}
=== o.yml
services: {b: {image: z}}
",
    "-f a.yml
=== a.yml
include: [{path: [b.yml, c.yml]}]
=== b.yml
services: {b: {image: y}}
=== c.yml
services: {b: {image: z}, c: {build: .}}
",
    "-f a.yml
=== a.yml
include: [b.yml]
services: {b: {image: x}}
=== b.yml
services: {b: {image: y}}
",
    "-f a.yml
=== a.yml
include: [b.yml]
services: {b: {image: y}}
=== b.yml
services: {b: {image: y}}
",
    "-f a.yml
=== a.yml
include: [b.yml, c.yml]
=== b.yml
include: [d.yml]
services: {b: {image: y}}
=== c.yml
include: [d.yml]
services: {c: {image: z}}
=== d.yml
services: {d: {image: d, build: ./d, volumes: ['./d:/d']}}
",
    "-f a.yml
=== a.yml
include: [b.yml]
=== b.yml
include: [a.yml]
services: {b: {image: y}}
",
    "-f a.yml
=== a.yml
include: [no.yml]
services: {b: {image: y}}
",
    "-f a.yml
=== a.yml
include: [b.yml]
services: {a: {extends: b}}
=== b.yml
services: {b: {image: y}}
",
    "-f a.yml
=== a.yml
include: [sub/b.yml]
=== sub/b.yml
services: {b: {image: '$V'}}
=== sub/.env
V=y
",
    "-f a.yml
=== a.yml
include: [sub/b.yml]
services: {a: {image: '$V'}}
=== sub/b.yml
services: {b: {image: '$V'}}
=== sub/.env
V=y
=== .env
V=x
",
    "-f a.yml
=== a.yml
include: [{path: sub/b.yml, env_file: [e1, e2]}]
=== sub/b.yml
services: {b: {image: '$V-$W'}}
=== sub/.env
V=no
=== e1
V=x
W=1
=== e2
V=y$W
",
    "-f a.yml
=== a.yml
include: [{path: sub/b.yml, env_file: no}]
=== sub/b.yml
services: {b: {image: x}}
",
    "-f a.yml
=== a.yml
include: [{path: sub/b.yml, project_directory: other}]
=== sub/b.yml
services: {b: {image: '$V'}}
=== sub/.env
V=sub
=== other/.env
V=other
",
    "-f a.yml
=== a.yml
include: [sub/b.yml]
=== sub/b.yml
include: [c.yml]
services: {b: {extends: {file: d.yml, service: d}}}
=== sub/c.yml
services: {c: {image: c}}
=== sub/d.yml
services: {d: {image: d}}
",
    "-f a.yml
=== a.yml
include: b.yml
=== b.yml
services: {b: {image: x}}
",
    // Variables.
    "-f a.yml --env-file e1 --env-file e2
=== a.yml
services: {a: {image: '$V:$W'}}
=== .env
V=no
=== e1
V=x
W=1
=== e2
V=y
",
    "-f sub/a.yml -f b.yml
=== sub/a.yml
services: {a: {image: '$V'}}
=== b.yml
services: {a: {restart: always}, b: {image: '${V:?no}'}}
=== sub/.env
V=sub
",
    // Profiles.
    "-f a.yml
=== a.yml
services: {a: {image: x, profiles: [p]}, b: {image: y}, c: {image: z, profiles: [q, p]}, d: {image: d, profiles: []}}
",
    "-f a.yml --profile p
=== a.yml
services: {a: {image: x, profiles: [p]}, b: {image: y}, c: {image: z, profiles: [q]}}
",
    "-f a.yml --profile *
=== a.yml
services: {a: {image: x, profiles: [p]}, b: {image: y}, c: {image: z, profiles: [q]}}
",
    "-f a.yml
=== a.yml
services: {a: {image: x, profiles: [p]}, b: {image: y, depends_on: [a]}}
",
    "-f a.yml
=== a.yml
services: {a: {image: x, profiles: [p]}, b: {image: y, depends_on: {a: {condition: service_started, required: false}}}}
",
    "-f a.yml -f b.yml
=== a.yml
services: {a: {image: x, profiles: [p]}}
=== b.yml
services: {a: {profiles: !reset []}}
",
    "-f a.yml
=== a.yml
services: {a: {image: x, profiles: [p]}, b: {image: y}}
=== .env
COMPOSE_PROFILES=q,p
",
    "-f a.yml
=== a.yml
services: {a: {image: x, depends_on: [no]}}
",
    "-f a.yml
=== a.yml
services: {a: {image: x, depends_on: [b]}, b: {image: y, depends_on: [c]}, c: {image: z, depends_on: [b]}}
",
    "-f a.yml
=== a.yml
services: {a: {image: x, depends_on: [b, c]}, b: {image: y, depends_on: [c]}, c: {image: z}}
",
    "-f a.yml
=== a.yml
# nothing
",
    "-f a.yml
=== a.yml
include: [sub/b.yml]
=== sub/b.yml
services: {b: {image: '$W'}}
=== sub/.env
V=inner
W=$V
=== .env
V=outer
",
];
