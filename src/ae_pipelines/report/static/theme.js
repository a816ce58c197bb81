// Light or dark: as the system has it, until someone chooses.

class Theme {
  constructor(switcher, onchange) {
    this.switcher = switcher;
    this.onchange = onchange;
    this.system = matchMedia('(prefers-color-scheme: dark)');
    this.system.addEventListener('change', () => this.changed());
    switcher.addEventListener('click', () => this.set(this.name === 'dark' ? 'light' : 'dark'));
    this.label();
  }

  get name() {
    return document.documentElement.dataset.theme ?? (this.system.matches ? 'dark' : 'light');
  }

  set(name) {
    if (name) document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
    this.changed();
  }

  changed() {
    this.label();
    this.onchange(this.name);
  }

  label() {
    this.switcher.textContent = this.name === 'dark' ? 'Light' : 'Dark';
    this.switcher.setAttribute('aria-label', `Change to ${this.name === 'dark' ? 'light' : 'dark'} colours`);
  }
}
