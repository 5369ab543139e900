package api

// referencePage is the page of the reference.
const referencePage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Info.Title}} API</title>
<link rel="stylesheet" href="{{.Prefix}}/reference.css">
</head>
<body>
<header>
<h1>{{.Info.Title}} API</h1>
<p>{{.Info.Description}}</p>
<p>This page is made of the document <a href="{{.Prefix}}/openapi.json">openapi.json</a> (OpenAPI 3.1, version {{.Info.Version}}).</p>
<nav aria-label="Contents"><ul>{{range .Tags}}<li><a href="#{{.Anchor}}">{{.Name}}</a></li>{{end}}</ul></nav>
</header>
<main>
{{range .Tags}}<section id="{{.Anchor}}">
<h2>{{.Name}}</h2>
{{range .Operations}}<article id="{{.ID}}">
<h3>{{.Summary}}</h3>
<p><code>{{.Method}} {{.Path}}</code></p>
{{with .Detail}}<p>{{.}}</p>
{{end}}<p>Token: {{.Token}}</p>
{{with .Params}}<h4>Parameters</h4>
{{template "fields" .}}{{end}}{{with .BodyIs}}<h4>Body: {{.}}</h4>
{{end}}{{with .Body}}{{template "fields" .}}{{end}}<h4>Answer: {{.Status}}{{with .AnswerIs}}, {{.}}{{end}}</h4>
{{with .Answer}}{{template "fields" .}}{{end}}</article>
{{end}}</section>
{{end}}<section id="problem">
<h2>Problems</h2>
<p>Whatever goes wrong is answered in this form, as application/problem+json.</p>
{{template "fields" .Problem}}</section>
</main>
</body>
</html>
{{define "fields"}}<table>
<thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">What it is</th></tr></thead>
<tbody>{{range .}}<tr><th scope="row"><code>{{.Name}}</code>{{if .Required}} (needed){{end}}</th><td>{{with .In}}{{.}}: {{end}}{{.Type}}</td><td>{{.Doc}}</td></tr>
{{end}}</tbody>
</table>
{{end}}`

// referenceStyle is its style sheet.
const referenceStyle = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; }
h2 { border-top: 1px solid; margin-top: 3rem; padding-top: 1rem; }
article { margin: 2rem 0; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border-bottom: 1px solid; font-weight: normal; padding: .25rem 1rem .25rem 0; text-align: left; vertical-align: top; }
code { font-size: .95em; }
`
