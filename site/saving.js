// In JupyterLab's page: a lesson is saved readably, with what its widgets showed in their place.
//
// On a later visit no Python knows the widgets of this one, and JupyterLab would show "Loading
// widget…" for ever. It's what pusherkit's extension does where there is a Jupyter server.
'use strict';
{
  const VIEW = 'application/vnd.jupyter.widget-view+json';
  const STATE = 'application/vnd.jupyter.widget-state+json';
  const HOW_TO_GO_ON = '/* how to go on */';
  const LOOK_MILLISECONDS = 50; // between two looks whether JupyterLab is there
  const text = value => [value ?? ''].flat().join('');

  const withoutWidgets = notebook => {
    const models = notebook.metadata.widgets?.[STATE]?.state ?? {};
    delete notebook.metadata.widgets;
    for (const { data, metadata } of notebook.cells.flatMap(cell => cell.outputs ?? [])) {
      const view = data?.[VIEW];
      if (!view) continue;
      delete data[VIEW];
      const shown = models[view.model_id]?.state?.still || text(data['text/html']);
      data['text/html'] = (metadata?.pusherkit?.controls === false ? '' : HOW_TO_GO_ON) + shown;
    }
  };

  const looking = setInterval(() => {
    const contents = window.jupyterapp?.serviceManager?.contents;
    if (!contents) return;
    clearInterval(looking);
    const save = contents.save.bind(contents);
    contents.save = (path, options) => {
      if (options?.type !== 'notebook' || !options.content?.cells) return save(path, options);
      const content = structuredClone(options.content);  // the open page keeps its widgets
      withoutWidgets(content);
      return save(path, { ...options, content });
    };
  }, LOOK_MILLISECONDS);
}
