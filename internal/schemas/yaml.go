package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// ParseYAML parses a YAML file. It takes the part of YAML that has one obvious meaning: one document of mappings,
// lists and plain values. Anchors, aliases, merges, tags, duplicate keys and keys that are not text are refused. The
// error is of type Problems.
func ParseYAML(file string, data []byte) (*Document, error) {
	doc := newDocument(file)
	start := Position{1, 1}
	if len(data) > maxDocumentBytes {
		return nil, Problems{doc.Problem(start, "the file has %d bytes; at most %d are read", len(data), maxDocumentBytes)}
	}
	if invalidUTF8(data) >= 0 {
		return nil, Problems{doc.Problem(start, "the file is not UTF-8 text")}
	}
	if at := controlCharacter(data); at >= 0 {
		return nil, Problems{doc.Problem(positionOf(data, at), "the control character %U is not allowed", data[at])}
	}
	// The library counts the two characters of a Windows line end as two lines behind a comment.
	parsed, err := parser.ParseBytes(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), 0)
	if err != nil {
		var located yaml.Error
		if errors.As(err, &located) {
			return nil, Problems{doc.Problem(tokenPosition(located.GetToken()), "not valid YAML: %s", located.GetMessage())}
		}
		return nil, Problems{doc.Problem(start, "not valid YAML: %s", err)}
	}
	var body ast.Node
	for _, d := range parsed.Docs {
		if d.Body == nil {
			continue
		}
		if body != nil {
			return nil, Problems{doc.Problem(nodePosition(d.Body), "a second YAML document; only one is allowed")}
		}
		body = d.Body
	}
	if body == nil {
		return nil, Problems{doc.Problem(start, "the file is empty")}
	}
	value, problem := doc.yamlValue(body, doc.root, 0)
	if problem != nil {
		return nil, Problems{*problem}
	}
	doc.Value = value
	return doc, nil
}

// controlCharacter returns the offset of the first control character that YAML does not allow, or -1. A carriage return
// is allowed before a line feed only: elsewhere editors and parsers do not agree on what a line is.
func controlCharacter(data []byte) int {
	for i, c := range data {
		lineEnd := c == '\r' && i+1 < len(data) && data[i+1] == '\n'
		if (c < ' ' && c != '\t' && c != '\n' && !lineEnd) || c == 0x7f {
			return i
		}
	}
	return -1
}

func (d *Document) yamlProblem(n ast.Node, format string, args ...any) *Problem {
	p := d.Problem(nodePosition(n), format, args...)
	return &p
}

// yamlValue turns a node into a plain value and notes where it stands.
func (d *Document) yamlValue(n ast.Node, at *place, depth int) (any, *Problem) {
	if depth > maxDepth {
		return nil, d.yamlProblem(n, "nested deeper than %d levels", maxDepth)
	}
	at.value = nodePosition(n)
	switch n := n.(type) {
	case *ast.MappingNode:
		return d.yamlMapping(n.Values, at, depth)
	case *ast.MappingValueNode:
		return d.yamlMapping([]*ast.MappingValueNode{n}, at, depth)
	case *ast.SequenceNode:
		out := []any{}
		for _, item := range n.Values {
			v, problem := d.yamlValue(item, at.item(), depth+1)
			if problem != nil {
				return nil, problem
			}
			out = append(out, v)
		}
		return out, nil
	case *ast.StringNode:
		at.text = textPosition(n)
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.NullNode:
		return nil, nil
	case *ast.IntegerNode:
		return d.yamlNumber(n, n.Value)
	case *ast.FloatNode:
		return d.yamlNumber(n, n.Value)
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode:
		return nil, d.yamlProblem(n, "anchors and aliases are not allowed; write the value out")
	case *ast.InfinityNode, *ast.NanNode:
		return nil, d.yamlProblem(n, "%s is not a number that is allowed", n.String())
	case *ast.TagNode:
		return nil, d.yamlProblem(n, "tags are not allowed; write the plain value")
	default:
		return nil, d.yamlProblem(n, "a %s is not allowed here", strings.ToLower(n.Type().YAMLName()))
	}
}

// textPosition returns where the first character of a text stands, when the file has them one for one: on one line,
// plain or in quotes without escapes. Otherwise it is nil.
func textPosition(n *ast.StringNode) *Position {
	t := n.GetToken()
	origin, at := strings.TrimSpace(t.Origin), nodePosition(n)
	if t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType {
		if len(origin) != len(n.Value)+2 {
			return nil
		}
		origin = origin[1 : len(origin)-1]
		at.Column++
	}
	if origin != n.Value {
		return nil
	}
	return &at
}

func (d *Document) yamlMapping(values []*ast.MappingValueNode, at *place, depth int) (any, *Problem) {
	out := map[string]any{}
	for _, pair := range values {
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			if pair.Key.IsMergeKey() {
				return nil, d.yamlProblem(pair.Key, "merges are not allowed; write the values out")
			}
			return nil, d.yamlProblem(pair.Key, "a key must be text; put %s in quotes", pair.Key.String())
		}
		if first := at.fields[key.Value]; first != nil {
			return nil, d.yamlProblem(key, "key %s is there twice; it is first on line %d", Quote(key.Value), first.key.Line)
		}
		v, problem := d.yamlValue(pair.Value, at.field(key.Value, nodePosition(key)), depth+1)
		if problem != nil {
			return nil, problem
		}
		out[key.Value] = v
	}
	return out, nil
}

// yamlNumber turns a parsed number into a json.Number, so that both kinds of document hold the same types.
func (d *Document) yamlNumber(n ast.Node, value any) (any, *Problem) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, d.yamlProblem(n, "%s is not a number that is allowed", n.String())
	}
	return json.Number(text), nil
}

// nodePosition returns where a node starts: a mapping at its first key, a list at its first dash or bracket.
func nodePosition(n ast.Node) Position {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return nodePosition(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return nodePosition(n.Key)
	case *ast.LiteralNode:
		return tokenPosition(n.Start)
	}
	return tokenPosition(n.GetToken())
}

func tokenPosition(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{1, 1}
	}
	return Position{Line: t.Position.Line, Column: t.Position.Column}
}
