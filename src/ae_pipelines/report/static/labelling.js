// Labels that are typed beside samples become a table that `ingest.labels` and `source.labels=file` read.

/** Pairs of an id and a label as a table. */
function labelsTable(pairs) {
  return csvTable([['path', 'label'], ...pairs]);
}

/** What was typed, without the fields that are empty. */
function typedLabels(inputs) {
  return inputs.map((input) => [JSON.parse(input.dataset.sample), input.value.trim()]).filter(([, label]) => label);
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
  save.hidden = isSandboxed();
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
