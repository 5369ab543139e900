package loggen

// The vocabulary of the logs. Arrays, so that nothing can change them.

var nouns = [...]string{
	"account", "audit", "auth", "basket", "billing", "cart", "catalog", "checkout", "courier", "coupon", "credit", "dispatch",
	"export", "feed", "fraud", "gateway", "geo", "image", "import", "invoice", "ledger", "listing", "loyalty", "mail", "match",
	"media", "notify", "offer", "order", "payment", "playlist", "price", "profile", "quote", "refund", "report", "review", "route",
	"search", "session", "shipment", "stock", "surge", "tax", "ticket", "title", "upload", "vendor", "wallet", "wishlist",
}

var roles = [...]string{"api", "cache", "cron", "db", "edge", "index", "queue", "store", "sync", "worker"}

var words = [...]string{
	"accepted", "after", "attempt", "backoff", "batch", "body", "cache", "call", "closed", "commit", "connection", "created",
	"deadline", "done", "dropped", "empty", "evicted", "expired", "failed", "fetched", "finished", "flushed", "for", "from",
	"handled", "header", "hit", "ignored", "in", "invalid", "item", "key", "late", "limit", "lock", "merged", "miss", "moved", "of",
	"open", "page", "parsed", "peer", "pending", "pool", "queued", "read", "refused", "request", "reset", "retry", "rows", "saved",
	"sent", "session", "shard", "skipped", "slow", "stale", "started", "stored", "stream", "timeout", "to", "token", "updated",
	"upstream", "user", "waiting", "with", "written",
}

// foreign holds text of 2-, 3- and 4-byte characters, combining marks, joined emoji and flags; none ends a line anywhere.
var foreign = [...]string{
	"café", "naïve", "Zürich", "Ærø", "ÅÄÖ", "ñandú", "Łódź", "Привет", "ошибка", "Ελλάδα", "שלום", "مرحبا", "नमस्ते", "ไทย",
	"東京", "日本語", "注文を受け付けました", "支付成功", "결제", "한국어", "€", "…", "→", "✓", "😀", "🚀🚀", "🔥", "𝒳", "𐍈", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇯🇵",
	"e\u0301", "o\u0308\u0304", "a\u030a",
}

// escapes holds JSON escapes, and text that looks like a field to a program that does not parse.
var escapes = [...]message{
	{`\"`, 1, 1}, {`\\`, 1, 1}, {`\n`, 1, 1}, {`\t`, 1, 1}, {`\/`, 1, 1}, {`\b\f`, 2, 2}, {`\r\n`, 2, 2},
	{`\u00e9`, 1, 1}, {`\u20AC`, 1, 1}, {`\ud83d\ude00`, 1, 2}, {`\uD83D\uDE80`, 1, 2}, {`\u0000`, 1, 1}, {`\u2028`, 1, 1},
	{`{\"lvl\":\"error\",\"ms\":9}`, 22, 22}, {`\"svc\":\"none\"`, 12, 12}, {`\\\"`, 2, 2}, {`}\n{`, 3, 3},
}
