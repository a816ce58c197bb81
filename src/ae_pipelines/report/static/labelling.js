// Labels that are typed beside samples become a table that `ingest.labels` and `source.labels=file` read.

/** A cell of a CSV file as RFC 4180 has it: in quotes where it holds what would end it, or blanks at its ends. */
function csvCell(text) {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Pairs of an id and a label as a table. */
function labelsTable(pairs) {
  return [['path', 'label'], ...pairs].map((cells) => cells.map(csvCell).join(',') + '\r\n').join('');
}

/** What was typed, without the fields that are empty. */
function typedLabels(inputs) {
  return inputs.map((input) => [JSON.parse(input.dataset.sample), input.value.trim()]).filter(([, label]) => label);
}

/** Whether this page may save files: not where another page shows it in a sandbox, as MLflow does. */
function maySave() {
  return window === window.top || window.origin !== 'null';
}

function saveFile(name, text) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/** Copies what an area holds; false where the browser does not allow it, and then it is selected. */
async function copyFrom(area) {
  area.select();
  if (document.execCommand('copy')) return true;  // the older way works in a sandbox, too
  return navigator.clipboard?.writeText(area.value).then(() => true, () => false) ?? false;
}

function startLabelling() {
  const inputs = [...document.querySelectorAll('.labelling input')];
  if (!inputs.length) return;
  const area = document.getElementById('labels-text'), said = document.querySelector('.labels-said');
  const save = document.querySelector('.save-labels'), copy = document.querySelector('.copy-labels');
  let unsaved = false;

  function show() {
    const pairs = typedLabels(inputs);
    area.value = labelsTable(pairs);
    said.textContent = `${pairs.length} of ${inputs.length} labelled`;
    save.disabled = copy.disabled = !pairs.length;
  }

  for (const [place, input] of inputs.entries()) {
    input.addEventListener('input', () => { unsaved = true; show(); });
    input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') inputs[place + 1]?.focus();
    });
  }
  save.hidden = !maySave();
  save.addEventListener('click', () => {
    saveFile('labels.csv', labelsTable(typedLabels(inputs)));
    unsaved = false;
  });
  copy.addEventListener('click', async () => {
    const copied = await copyFrom(area);
    said.textContent = copied ? 'copied' : 'copying is not allowed here: the text below is selected, press Ctrl+C';
    unsaved = unsaved && !copied;
  });
  window.addEventListener('beforeunload', (event) => {
    if (unsaved) event.preventDefault();
  });
  show();
}

startLabelling();
