// What acts where it is shown as it is.
export const active = [
  '<script>alert(1)</script>',
  '</script><script>alert(2)</script>',
  '</pre></details></style><img src=x onerror=alert(3)><svg onload=alert(4)>',
  '" autofocus onfocus="alert(5)" x="',
  '<a href="javascript:alert(6)">details</a><iframe src=//example.invalid></iframe><base href=//example.invalid>',
  '<meta http-equiv=refresh content="0;url=//example.invalid">{{.}}${alert(7)}<!-- ]]>',
  '\u001b[2J\u001b]0;owned\u0007\u001b[31mred\u001b[0m\u001b]8;;http://example.invalid\u0007link\u001b]8;;\u0007',
  '\u009b31mc1\u0090q\u009c\u0085\u0000\u007f\b\b\b',
  'safe\u202egnp.exe\u2066\u200b\ufeff',
  '=HYPERLINK("http://example.invalid","details")',
  "=cmd|' /C calc'!A0",
  '+cmd|calc',
  '-2+3+cmd|calc',
  '@SUM(1+1)*cmd|calc',
  '\t=1+1',
  '| a | b |\n|---|---|\n[x](javascript:alert(8)) ![i](http://example.invalid/x.png)',
];
