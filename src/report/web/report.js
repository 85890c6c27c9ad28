'use strict';
(() => {
  const cellText = (cell) => cell.textContent.trim();
  const cellValue = (cell) => (cell.dataset.value === undefined ? cellText(cell) : cell.dataset.value);
  const rowsOf = (table) => [...table.tBodies[0].rows];
  const linesOf = (table, read) => [
    [...table.tHead.rows[0].cells].map((c) => c.dataset.name || cellText(c)),
    ...rowsOf(table).map((r) => [...r.cells].map(read)),
  ];

  const csvOf = (table) => linesOf(table, cellValue)
    .map((line) => line.map((t) => (/[",\n]/.test(t) ? '"' + t.replace(/"/g, '""') + '"' : t)).join(',')).join('\r\n') + '\r\n';

  const latexText = (text) => {
    const special = { '\\': '\\textbackslash{}', '{': '\\{', '}': '\\}', '&': '\\&', '%': '\\%', '$': '\\$', '#': '\\#',
      '_': '\\_', '~': '\\textasciitilde{}', '^': '\\textasciicircum{}', '−': '$-$', '≤': '$\\le$', '≥': '$\\ge$', '→': '$\\to$', '–': '--' };
    const raised = '⁰¹²³⁴⁵⁶⁷⁸⁹';
    const power = (m, minus, digits) => '$\\times10^{' + (minus ? '-' : '') + [...digits].map((d) => raised.indexOf(d)).join('') + '}$';
    return text.replace(/[\\{}&%$#_~^−≤≥→–]/g, (c) => special[c]).replace(/×10(⁻?)([⁰¹²³⁴⁵⁶⁷⁸⁹]+)/g, power);
  };
  const latexOf = (table) => {
    const lines = linesOf(table, cellText).map((line) => '  ' + line.map(latexText).join(' & ') + ' \\\\');
    const first = rowsOf(table)[0];
    const kinds = first ? [...first.cells].map((c) => (c.classList.contains('num') ? 'r' : 'l')).join('') : 'l';
    return ['\\begin{tabular}{' + kinds + '}', '  \\toprule', lines[0], '  \\midrule', ...lines.slice(1), '  \\bottomrule',
      '\\end{tabular}', ''].join('\n');
  };

  const download = (text, name) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement('textarea');
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
  };

  const button = (name, does) => {
    const b = document.createElement('button');
    b.type = 'button';
    b.textContent = name;
    b.addEventListener('click', () => does(b));
    return b;
  };
  const said = (b, text) => {
    const before = b.textContent;
    b.textContent = text;
    setTimeout(() => { b.textContent = before; }, 1500);
  };

  const compare = (a, b) => {
    const x = Number(cellValue(a)), y = Number(cellValue(b));
    return Number.isNaN(x) || Number.isNaN(y) ? cellText(a).localeCompare(cellText(b)) : x - y;
  };
  const sortBy = (table, column, head) => {
    const down = head.getAttribute('aria-sort') === 'ascending';
    for (const h of table.tHead.rows[0].cells) h.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const rows = rowsOf(table).sort((a, b) => (down ? -1 : 1) * compare(a.cells[column], b.cells[column]));
    table.tBodies[0].append(...rows);
  };

  document.querySelectorAll('table.data').forEach((table, index) => {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const name = cellText(head);
      head.dataset.name = name;
      head.textContent = '';
      const b = button(name, () => sortBy(table, column, head));
      b.title = 'Sort by ' + name;
      b.className = 'sort';
      head.append(b);
    });
    const tools = document.createElement('div');
    tools.className = 'tools';
    tools.append(button('CSV', () => download(csvOf(table), 'viva-' + (index + 1) + '.csv')),
      button('Copy as LaTeX', (b) => copy(latexOf(table)).then(() => said(b, 'Copied'))));
    table.before(tools);
  });

  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.hidden = true;
  document.body.append(tip);
  const hide = () => { tip.hidden = true; };
  const show = (mark, x, y) => {
    tip.textContent = mark.getAttribute('aria-label');
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 12, document.documentElement.clientWidth - box.width - 4)) + 'px';
    tip.style.top = Math.max(4, y - box.height - 10) + 'px';
  };
  document.querySelectorAll('svg .mark').forEach((mark) => {
    const title = mark.querySelector('title');
    mark.setAttribute('aria-label', title.textContent);
    title.remove();
    mark.addEventListener('pointermove', (e) => show(mark, e.clientX, e.clientY));
    mark.addEventListener('pointerleave', hide);
    const link = mark.closest('a');
    if (!link) return;
    link.addEventListener('focus', () => {
      const box = mark.getBoundingClientRect();
      show(mark, box.right, box.top);
    });
    link.addEventListener('blur', hide);
  });
  document.addEventListener('keydown', (e) => { if (e.key === 'Escape') hide(); });
  document.addEventListener('scroll', hide, { passive: true });
})();
