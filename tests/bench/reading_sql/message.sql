concat(
        multiIf(id >= 1000000, '[{"role": "assistant", "parts": [{"type": "text", "content": "', (id - 1) % 20 = 0, '[{"role": "user", "parts": [{"type": "text", "content": "', (id - 1) % 2 = 0, '[{"role": "tool", "parts": [{"type": "text", "content": "', ': "assistant", "parts": [{"type": "text", "content": "'),
        if(cityHash64(h, id) % 20021 = 0, concat({rare_word:String}, ' '), ''),
        if(intDiv(cityHash64(h, id), 3) % 20011 < 3, concat({rare_phrase:String}, ' '), ''),
        arrayStringConcat(arrayMap(w -> words[toUInt32(pow(length(words), (cityHash64(h, id, w) % 1000000) / 1000000))], range(20 + cityHash64(h, id) % 24)), ' '),
        '"}]')
