// What people take out of a page: tables as CSV files.

/** A cell of a CSV file as RFC 4180 has it: in quotes where it holds what would end it, or blanks at its ends. */
function csvCell(text) {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function csvTable(rows) {
  return rows.map((cells) => cells.map(csvCell).join(',') + '\r\n').join('');
}

/** In a frame with an origin of its own (MLflow shows pages so) nothing can be downloaded or put on the clipboard. */
function isSandboxed() {
  return self.origin === 'null' && (window.parent !== window || location.protocol !== 'file:');
}

function saveFile(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  const link = make('a', { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
