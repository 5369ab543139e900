package exportstream

// What rows are made of. Arrays, so that nothing can change them.
var (
	givenNames = [...]string{
		"Anna", "Zoë", "Łukasz", "Çağla", "José", "Siobhán", "Jürgen", "Mei", "Olga", "Rajesh", "Amélie", "Noor", "Søren", "Tomáš", "Émile", "Ines",
		"Дмитрий", "Ελένη", "美咲", "João", "Björk", "Oisín", "Marta", "Viktor",
	}
	familyNames = [...]string{
		"Müller", "O'Brien", "Nguyễn", "García Márquez", "Şahin", "Kowalczyk", "Smith", "van den Berg", "Lindqvist", "Иванова", "佐藤", "Papadopoulos",
		"D'Angelo", "Åkesson", "Novák", "Silva", "Brown", "Östlund",
	}
	cities = [...]string{
		"Łódź", "Köln", "Malmö", "São Paulo", "Reykjavík", "Zürich", "Kraków", "Lyon", "Leeds", "大阪", "Αθήνα", "İzmir", "Graz", "Cork", "Porto", "Tromsø",
	}
	things = [...]string{
		"Desk lamp", "Floor lamp", "Kettle", "Teapot", "Wool blanket", "Cushion", "Picture frame", "Bookshelf", "Café table", "Rug", "Mirror", "Vase",
		"Plant pot", "Clock", "Coat stand", "Jewellery box", "Crème brûlée set", "Chopping board", "Candle",
	}
	remarks = [...]string{
		"Leave it with the neighbour", "Ring twice", "Please, no plastic", "For my sister 🎁", "Second floor; no lift", "Call before you come", "Fragile!",
		"Gruß an alle", "Merci beaucoup", "The \"blue\" one", "Back door", "Not before 18:00", "Gift wrap, red ribbon", "お急ぎください", "Careful: dog 🐕‍🦺",
	}
	// traps are what conversions come to grief over.
	traps = [...]string{
		"", " ", ",", `"`, `""`, `","`, "\r\n", "\n", "\r", "\t", "a,b", `say "hi"`, "line\r\nline", "line\nline", "line\rline", " leading", "trailing ",
		"'single'", `back\slash`, `\n`, `\"`, `\u0041`, "=1+1", "+49 30", "-", "@home", "|", ";", "null", "true", "0012", "1e3", "NaN", "undefined", "[object Object]",
		"é", "e\u0301", "ß", "€", "日本語", "👩‍👩‍👧‍👦", "🏳️‍🌈", "𝄞", "\u2028", "\u2029", "\u00a0", "\ufeff", "\u200b", "\ufffd", "\u0001", "\u007f", "\v", "\f", "\b", "%0D%0A",
		"{\"id\":1}", "</td>", "__proto__", "constructor", "İ", "\u202eabc",
	}
)
