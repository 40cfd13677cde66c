"""One HTML file in which backpropagation explains itself: its data, and the page in HTML, CSS and JavaScript."""
