"""What is wrong with a page of a PDF."""


def overlaps(page):
    """Return pairs of words of body text whose boxes lie on each other."""
    words = [word[:5] for word in page.get_text("words") if word[3] - word[1] < 20]
    return [
        (a[4], b[4])
        for n, a in enumerate(words)
        for b in words[n + 1 :]
        if min(a[2], b[2]) - max(a[0], b[0]) > 1
        and min(a[3], b[3]) - max(a[1], b[1]) > 0.5 * (a[3] - a[1])
    ]
