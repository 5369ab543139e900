// Package pages shows the platform to people: the models of its pages, their templates, texts, style and script. It knows
// no handler and no store; whoever answers a request fills a model and calls Render.
//
// What is sent needs no inline script and no inline style, and asks nobody but the own server: see Policy. Everything that
// matters works without JavaScript.
package pages
